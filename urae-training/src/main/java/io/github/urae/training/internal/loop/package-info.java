/** A training: which picture comes when, with which noise, and what happens after each update. */
package io.github.urae.training.internal.loop;
