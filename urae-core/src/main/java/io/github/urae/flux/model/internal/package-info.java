/** Configurations of a model, read from its files and checked. */
package io.github.urae.flux.model.internal;
