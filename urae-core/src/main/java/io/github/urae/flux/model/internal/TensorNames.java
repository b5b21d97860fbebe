package io.github.urae.flux.model.internal;

import java.util.Collection;
import java.util.TreeSet;

/** The names of a network's tensors, to be asked by their beginnings. Immutable. */
final class TensorNames {

  /** Sorted: a file may have a great many, and a question for each of them. */
  private final TreeSet<String> sorted;

  TensorNames(Collection<String> names) {
    sorted = new TreeSet<>(names);
  }

  boolean anyStartsWith(String prefix) {
    String next = sorted.ceiling(prefix);
    return next != null && next.startsWith(prefix);
  }

  /** Counts blocks, {@code prefix} and a number from 0, up to the first of which there is none. */
  int blocks(String prefix) {
    int count = 0;
    while (anyStartsWith(prefix + count + ".")) {
      count++;
    }
    return count;
  }
}
