package io.github.urae.server.internal.http;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.ActionCode;

/**
 * Tells whether a caller who waits has gone, without writing to him: while an answer is due, a
 * connection has nothing to read but its end. To be asked on the thread of the request, after its
 * body was read.
 */
final class ConnectionProbe {

  private static final String ATTRIBUTE = ConnectionProbe.class.getName();

  private final org.apache.coyote.Request connection;

  private ConnectionProbe(org.apache.coyote.Request connection) {
    this.connection = connection;
  }

  /** Returns the probe of a request. */
  static ConnectionProbe of(HttpServletRequest request) {
    return (ConnectionProbe) request.getAttribute(ATTRIBUTE);
  }

  /** Tells whether the caller has closed the connection. */
  boolean isClosed() {
    connection.action(ActionCode.AVAILABLE, true);
    // Tomcat answers 1 where reading met the end; a next request ahead of time has more bytes.
    return connection.getAvailable() == 1;
  }

  /** Gives every request its probe. */
  static final class Valve extends ValveBase {

    Valve() {
      super(true);
    }

    @Override
    public void invoke(Request request, Response response) throws IOException, ServletException {
      request.setAttribute(ATTRIBUTE, new ConnectionProbe(request.getCoyoteRequest()));
      getNext().invoke(request, response);
    }
  }
}
