package io.github.urae.tensor;

import java.util.Optional;

/**
 * Element types of the safetensors format, by the names used there.
 *
 * @see <a href="https://github.com/huggingface/safetensors">safetensors: enum {@code Dtype}</a>
 */
public enum ElementType {
  /** One byte, 0 or 1. */
  BOOL(8),
  /** 4-bit floating point, two elements a byte. */
  F4(4),
  /** 6-bit floating point, 2 exponent and 3 mantissa bits, packed. */
  F6_E2M3(6),
  /** 6-bit floating point, 3 exponent and 2 mantissa bits, packed. */
  F6_E3M2(6),
  /** Unsigned 8-bit integer. */
  U8(8),
  /** Signed 8-bit integer. */
  I8(8),
  /** 8-bit floating point, 5 exponent and 2 mantissa bits, with infinities. */
  F8_E5M2(8),
  /** 8-bit floating point, 4 exponent and 3 mantissa bits, without infinities ('fn'). */
  F8_E4M3(8),
  /** 8-bit power of two, 2^(x-127): the scale type of microscaling formats. */
  F8_E8M0(8),
  /** Signed 16-bit integer. */
  I16(16),
  /** Unsigned 16-bit integer. */
  U16(16),
  /** IEEE 754 half precision. */
  F16(16),
  /** The upper half of a float32. */
  BF16(16),
  /** Signed 32-bit integer. */
  I32(32),
  /** Unsigned 32-bit integer. */
  U32(32),
  /** IEEE 754 single precision. */
  F32(32),
  /** Complex number of two float32. */
  C64(64),
  /** IEEE 754 double precision. */
  F64(64),
  /** Signed 64-bit integer. */
  I64(64),
  /** Unsigned 64-bit integer. */
  U64(64);

  private final int bits;

  ElementType(int bits) {
    this.bits = bits;
  }

  /**
   * Returns the width of one element.
   *
   * @return bits per element, 4 to 64
   */
  public int bits() {
    return bits;
  }

  /**
   * Returns how many bytes a number of elements takes.
   *
   * @param elements number of elements, at least 0
   * @return their size in bytes
   * @throws ArithmeticException if the size exceeds a {@code long}, or packed elements do not end
   *     on a byte
   */
  public long byteSize(long elements) {
    long total = Math.multiplyExact(elements, (long) bits);
    if (total % 8 != 0) {
      throw new ArithmeticException(elements + " elements of " + this + " do not end on a byte");
    }
    return total / 8;
  }

  /**
   * Tells whether this type has one byte or more an element and a conversion to float32.
   *
   * @return false for the packed types ({@code F4}, {@code F6_*}) and for {@code C64}
   */
  public boolean isConvertible() {
    return bits >= 8 && this != C64;
  }

  /**
   * Tells whether elements are floating-point numbers that a network's weights may have.
   *
   * @return true for F64, F32, BF16, F16, F8_E5M2 and F8_E4M3
   */
  public boolean isFloatingPoint() {
    return switch (this) {
      case F64, F32, BF16, F16, F8_E5M2, F8_E4M3 -> true;
      default -> false;
    };
  }

  /**
   * Finds a type by its name in a safetensors header.
   *
   * @param name for instance {@code "BF16"}
   * @return the type, or empty if the format has none of that name
   */
  public static Optional<ElementType> byName(String name) {
    for (ElementType type : values()) {
      if (type.name().equals(name)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
