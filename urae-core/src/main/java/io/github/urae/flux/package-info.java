/**
 * The arithmetic of FLUX and URAE, in the order of one generation: the request, the latent grid,
 * the noise, the rotary tables, and the schedule. Pure functions over plain arrays; no inference
 * engine.
 */
package io.github.urae.flux;
