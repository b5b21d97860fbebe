/** The parts of a model of the FLUX family. */
package io.github.urae.flux.model;
