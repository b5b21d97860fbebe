/**
 * Hostile inputs. A target takes the bytes of a fuzzer: after a 0 they are a file as it is, and
 * otherwise decisions how to change an example, so that files come about which pass the first
 * checks. Whatever comes out, a target ends within seconds, in the memory that it has, and with no
 * exception but those that the library documents.
 */
package io.github.urae.fuzz;
