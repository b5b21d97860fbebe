/**
 * A small checkpoint and golden data recorded with it from the reference implementations, for the
 * tests of all modules.
 */
package io.github.urae.testkit;
