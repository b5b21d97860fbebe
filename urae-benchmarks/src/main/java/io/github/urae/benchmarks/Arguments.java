package io.github.urae.benchmarks;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A command line: values, and options with a value each ({@code --name value}). */
final class Arguments {

  private final String usage;
  private final List<String> values = new ArrayList<>();
  private final Map<String, String> options = new HashMap<>();

  private Arguments(String usage) {
    this.usage = usage;
  }

  static Arguments parse(String[] arguments, String usage) {
    Arguments parsed = new Arguments(usage);
    for (int i = 0; i < arguments.length; i++) {
      if (!arguments[i].startsWith("--")) {
        parsed.values.add(arguments[i]);
      } else if (i + 1 < arguments.length) {
        parsed.options.put(arguments[i].substring(2), arguments[++i]);
      } else {
        throw parsed.wrong(arguments[i] + " needs a value");
      }
    }
    return parsed;
  }

  /** Takes the one value that there must be. */
  String only() {
    if (values.size() != 1) {
      throw wrong("expected one value, found " + values);
    }
    return values.remove(0);
  }

  /** Takes all values, of which there must be some. */
  List<String> all() {
    if (values.isEmpty()) {
      throw wrong("expected values, found none");
    }
    List<String> all = List.copyOf(values);
    values.clear();
    return all;
  }

  /** Takes all values as numbers, or the ones given where there are none. */
  List<Integer> numbers(List<Integer> otherwise) {
    List<Integer> numbers =
        values.isEmpty() ? otherwise : values.stream().map(this::toInt).toList();
    values.clear();
    return numbers;
  }

  String option(String name, String otherwise) {
    String value = options.remove(name);
    return value == null ? otherwise : value;
  }

  int number(String name, int otherwise) {
    String value = options.remove(name);
    return value == null ? otherwise : toInt(value);
  }

  /** Refuses what nobody has taken. */
  void finish() {
    if (!values.isEmpty() || !options.isEmpty()) {
      throw wrong("cannot use " + values + " " + options.keySet());
    }
  }

  private int toInt(String value) {
    try {
      return Integer.parseInt(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("expected a number, found " + value + "\n" + usage, e);
    }
  }

  private IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException(what + "\n" + usage);
  }
}
