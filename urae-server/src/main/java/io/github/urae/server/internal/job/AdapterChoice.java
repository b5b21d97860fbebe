package io.github.urae.server.internal.job;

/**
 * An adapter that a request asks for.
 *
 * @param name one of the catalogue's
 * @param scale what its change is multiplied by, finite
 */
public record AdapterChoice(String name, double scale) {}
