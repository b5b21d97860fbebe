package io.github.urae.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a number of bytes with an optional unit: {@code 800M}, {@code 6G}. */
public final class SizeConverter implements ITypeConverter<Long> {

  private static final Pattern SIZE = Pattern.compile("0*(\\d{1,18})([KMGT]?)");

  /** Has no state. */
  public SizeConverter() {}

  @Override
  public Long convert(String value) {
    Matcher size = SIZE.matcher(value.toUpperCase(Locale.ROOT));
    if (size.matches()) {
      int unit = size.group(2).isEmpty() ? 0 : 1 + "KMGT".indexOf(size.group(2));
      long number = Long.parseLong(size.group(1));
      if (number > 0 && number <= Long.MAX_VALUE >> (10 * unit)) {
        return number << (10 * unit);
      }
    }
    throw new TypeConversionException(
        "expected a positive number and K, M, G or T, found '" + value + "'");
  }
}
