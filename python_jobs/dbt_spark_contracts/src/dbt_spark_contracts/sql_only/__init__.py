"""The checks of a contract for a Spark in another process: method thrift, http or odbc."""
