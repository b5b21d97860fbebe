/**
 * The exact arithmetic of FLUX around its networks: noise, packing, rotary tables, schedules. For
 * researchers; may change between minor versions.
 */
package io.github.urae.flux.arithmetic;
