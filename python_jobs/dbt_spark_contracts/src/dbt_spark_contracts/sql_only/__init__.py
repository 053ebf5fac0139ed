"""What is held of a contract where Spark is in another process: by thrift, http or odbc."""
