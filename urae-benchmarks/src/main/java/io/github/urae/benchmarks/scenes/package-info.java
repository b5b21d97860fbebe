/**
 * Captioned landscapes, painted at any size from the same description, to train small models on.
 */
package io.github.urae.benchmarks.scenes;
