/** Benchmarks: JMH classes, and programs that print a table. */
package io.github.urae.benchmarks;
