package io.github.urae.adapter.internal.format;

import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Matches names of modules as PEFT does, {@code (.*\.)?(PATTERN)$}, with patterns that come out of
 * a file: in bounded time, whatever they are. Not thread-safe.
 *
 * <p>Most patterns are names, which need no expression; the others are matched by RE2, whose time
 * is linear in pattern and name, and what all of them take together is bounded.
 *
 * @see <a href="https://github.com/huggingface/peft/blob/main/src/peft/utils/other.py">PEFT: {@code
 *     get_pattern_key}</a>
 */
final class ModulePatterns {

  private static final int MAX_PATTERN_LENGTH = 1000;

  /** No model has longer names. */
  private static final int MAX_NAME_LENGTH = 500;

  /** Each repetition is a copy of the repeated part. */
  private static final int MAX_REPETITIONS = 1000;

  /** Steps of all matches together: seconds. */
  private static final double MAX_WORK = 1e8;

  /**
   * Names of networks, before the names that PEFT knows; and of PEFT's own wrapper. What a pattern
   * with {@code ^} begins with comes after them.
   */
  private static final List<String> PREFIXES =
      List.of(
          "base_model.model.",
          "model.",
          "transformer.",
          "diffusion_model.",
          "unet.",
          "text_encoder_2.",
          "text_encoder.");

  private static final Pattern COUNTED = Pattern.compile("\\{(\\d+)(?:,(\\d+)?)?\\}");

  private final Map<String, Pattern> compiled = new HashMap<>();
  private double work;

  /** A pattern that cannot be matched, and why. */
  static final class PatternFault extends Exception {

    private static final long serialVersionUID = 1L;

    private PatternFault(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * Tells whether a pattern fits a module, by its name or by what follows a dot in it.
   *
   * @param module the file's own name; a network's name may stand before what PEFT knows
   * @throws PatternFault if it is no pattern, or takes too long
   */
  boolean matches(String pattern, String module) throws PatternFault {
    if (module.length() > MAX_NAME_LENGTH) {
      return false;
    }
    Optional<String> literal = literal(pattern);
    String name = module;
    while (true) {
      boolean fits =
          literal.isPresent()
              ? endsWithName(literal.get(), name)
              : matchesExpression(pattern, name);
      if (fits) {
        return true;
      }
      String rest = withoutPrefix(name);
      if (rest.equals(name)) {
        return false;
      }
      name = rest;
    }
  }

  private static String withoutPrefix(String name) {
    for (String prefix : PREFIXES) {
      if (name.startsWith(prefix)) {
        return name.substring(prefix.length());
      }
    }
    return name;
  }

  /**
   * Returns a pattern that is a name: with {@code ^} where it is to be the whole one, and an
   * unescaped dot for any character, as expressions have it.
   */
  private static Optional<String> literal(String pattern) {
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < pattern.length(); i++) {
      char character = pattern.charAt(i);
      boolean last = i == pattern.length() - 1;
      if (character == '\\' && !last && pattern.charAt(i + 1) == '.') {
        name.append('\\');
        i++;
      } else if (Character.isLetterOrDigit(character) || character == '_' || character == '.') {
        name.append(character);
      } else if (character == '^' && i == 0) {
        name.append('^');
      } else if (!(character == '$' && last)) {
        return Optional.empty();
      }
    }
    return Optional.of(name.toString());
  }

  /** The name ends so, and there it begins, or a dot stands before. */
  private static boolean endsWithName(String literal, String name) {
    boolean whole = literal.startsWith("^");
    String expected = whole ? literal.substring(1) : literal;
    int start = name.length() - expected.length();
    if (start < 0 || (start > 0 && (whole || name.charAt(start - 1) != '.'))) {
      return false;
    }
    for (int i = expected.length() - 1; i >= 0; i--) {
      char character = expected.charAt(i);
      char found = name.charAt(start + i);
      if (character != '.' && found != (character == '\\' ? '.' : character)) {
        return false;
      }
    }
    return true;
  }

  private boolean matchesExpression(String pattern, String name) throws PatternFault {
    Pattern expression = compiled.get(pattern);
    if (expression == null) {
      expression = compile(pattern);
      compiled.put(pattern, expression);
    }
    work += (double) expression.programSize() * (name.length() + 1);
    if (work > MAX_WORK) {
      throw new PatternFault("takes too long to match", null);
    }
    return expression.matches(name);
  }

  private static Pattern compile(String pattern) throws PatternFault {
    if (pattern.length() > MAX_PATTERN_LENGTH) {
      throw new PatternFault("is longer than " + MAX_PATTERN_LENGTH + " characters", null);
    }
    if (repetitions(pattern) > MAX_REPETITIONS) {
      throw new PatternFault("repeats more than " + MAX_REPETITIONS + " times", null);
    }
    try {
      return Pattern.compile("(.*\\.)?(" + pattern + ")");
    } catch (PatternSyntaxException e) {
      throw new PatternFault("is no pattern that RE2 knows", e);
    }
  }

  /** Bounds how often counted repetitions copy a part of the pattern, nested ones included. */
  private static double repetitions(String pattern) {
    Matcher counted = COUNTED.matcher(pattern);
    double product = 1;
    while (counted.find()) {
      String most = counted.group(2) == null ? counted.group(1) : counted.group(2);
      product *= Math.max(1, Double.parseDouble(most));
    }
    return product;
  }
}
