/**
 * A small real FLUX checkpoint in diffusers layout, trained on captioned pictures of plain shapes,
 * and URAE adapters for it. For demonstrations and tests.
 */
package io.github.urae.demo;
