/** Requests and answers. */
package io.github.urae.server.internal.http;
