/** Training of URAE's adapters: what it is trained on. */
package io.github.urae.training;
