/**
 * A small real FLUX checkpoint in diffusers' layout, trained on captioned pictures of painted
 * landscapes, and URAE's adapters for it. For demonstrations.
 */
package io.github.urae.demo;
