/** A job of Spark that draws a table of requests. */
package io.github.urae.examples.spark;
