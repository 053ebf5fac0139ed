"""py4j looks up each Java name once, and does not log interrupts."""

import logging

import pytest
from dbt_spark_contracts.compat.py4j import OF_AN_INTERRUPT, log_no_interrupts
from py4j.clientserver import ClientServerConnection
from py4j.java_gateway import GatewayClient, JavaClass, JavaPackage


@pytest.fixture
def view(spark):
    """Return a new view of the JVM, without cached names."""
    return spark.sparkContext._gateway.new_jvm_view("test")


@pytest.fixture
def asked(view, monkeypatch):
    """Return the list of commands that are sent to Java from now on."""
    client, commands = view._gateway_client, []
    send = client.send_command

    def sending(command, *arguments, **options):
        commands.append(command)
        return send(command, *arguments, **options)

    monkeypatch.setattr(client, "send_command", sending)
    return commands


def test_java_is_asked_once_for_a_class_and_its_methods(view, asked):
    assert view.java.lang.Math.max(1, 2) == 2
    first = [*asked]
    assert len(first) == 5  # java, java.lang, java.lang.Math, its method max, and the call
    asked.clear()
    assert view.java.lang.Math.max(1, 3) == 3
    assert asked == [first[-1].replace("i2", "i3")]


def test_a_static_field_is_asked_for_each_time(view, asked):
    system = view.java.io.File
    assert system.separator == "/"
    asked.clear()
    assert system.separator == "/"
    assert len(asked) == 1


def test_a_class_may_be_found_later(view, asked):
    assert isinstance(view.org.example.NotThere, JavaPackage)
    asked.clear()
    assert isinstance(view.org.example.NotThere, JavaPackage)
    assert len(asked) == 1
    assert isinstance(view.java.lang.String, JavaClass)


def gone(*_):
    raise ConnectionResetError


class Socket:
    """A socket whose connection Java has closed."""

    sendall = gone

    def getsockname(self):
        return "here", 1

    getpeername = getsockname


class Connection:
    """A py4j connection that is interrupted while it waits for Java."""

    is_connected, stream, socket = True, None, Socket()
    shutdown_socket = ClientServerConnection.shutdown_socket

    def send_command(self, _):
        raise KeyboardInterrupt


class Client:
    """A gateway client that sends commands over the connection."""

    deque = ()
    send_command = GatewayClient.send_command

    def _get_connection(self):
        return Connection()


def test_an_interrupt_is_raised_and_not_logged(monkeypatch):
    logged = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append((record.name, record.msg))
    loggers = [logging.getLogger(name) for name in OF_AN_INTERRUPT]
    for logger in loggers:
        monkeypatch.setattr(logger, "handlers", [handler])
        monkeypatch.setattr(logger, "propagate", False)
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "filters", [])
    with pytest.raises(KeyboardInterrupt):
        Client().send_command("c")
    assert logged == [*OF_AN_INTERRUPT.items()]
    logged.clear()
    log_no_interrupts.__wrapped__()
    with pytest.raises(KeyboardInterrupt):
        Client().send_command("c")
    assert logged == []
