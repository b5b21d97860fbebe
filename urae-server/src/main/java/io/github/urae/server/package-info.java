/** A server that draws pictures for other programs, over HTTP, as OpenAI's image API does. */
package io.github.urae.server;
