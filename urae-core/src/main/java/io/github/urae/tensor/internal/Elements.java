package io.github.urae.tensor.internal;

import io.github.urae.tensor.ElementType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;

/**
 * Conversion between stored elements and float32, in bulk. Every stored value converts to the
 * nearest float32 (exactly, up to 32-bit floats); float32 rounds to the nearest stored value, ties
 * to even, once.
 *
 * <p>All methods are thread-safe as long as nobody writes to the same buffers.
 */
public final class Elements {

  /**
   * 16-bit elements converted at a time. They pass through an array, which is faster than a buffer;
   * one as large as a weight would be another copy of it.
   */
  private static final int PIECE = 8192;

  /** A thread's memory: for a new piece every time, the heap would grow with what is read. */
  private static final ThreadLocal<short[]> PIECES =
      ThreadLocal.withInitial(() -> new short[PIECE]);

  /** float32 values of all 65536 half-precision patterns; Java 17 has no conversion of its own. */
  private static final class HalfTable {
    static final float[] VALUES = new float[1 << 16];

    static {
      for (int i = 0; i < VALUES.length; i++) {
        VALUES[i] = smallFloat(i, 5, 10, true);
      }
    }
  }

  private static final class Float8Tables {
    static final float[] E4M3 = new float[256];
    static final float[] E5M2 = new float[256];

    static {
      for (int i = 0; i < 256; i++) {
        E4M3[i] = (i & 0x7F) == 0x7F ? Float.NaN : smallFloat(i, 4, 3, false);
        E5M2[i] = smallFloat(i, 5, 2, true);
      }
    }
  }

  private Elements() {}

  /**
   * Converts stored elements to float32.
   *
   * @param type type of the stored elements; must be {@linkplain ElementType#isConvertible()
   *     convertible}
   * @param source stored bytes, little-endian; read from its position on, which stays where it is
   * @param target receives the values
   * @param offset index of the first value in {@code target}
   * @param count number of elements
   * @throws IllegalArgumentException if the type has no conversion
   */
  public static void toFloats(
      ElementType type, ByteBuffer source, float[] target, int offset, int count) {
    ByteBuffer bytes = source.slice().order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case F32 -> bytes.asFloatBuffer().get(target, offset, count);
      case BF16, F16 -> {
        ShortBuffer stored = bytes.asShortBuffer();
        short[] piece = PIECES.get();
        for (int first = 0; first < count; first += PIECE) {
          int length = Math.min(PIECE, count - first);
          stored.get(piece, 0, length);
          if (type == ElementType.BF16) {
            expandBfloat16(piece, target, offset + first, length);
          } else {
            expandHalf(piece, target, offset + first, length);
          }
        }
      }
      case F8_E4M3 -> lookUp(Float8Tables.E4M3, bytes, target, offset, count);
      case F8_E5M2 -> lookUp(Float8Tables.E5M2, bytes, target, offset, count);
      case F64 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = (float) bytes.getDouble(i * Double.BYTES);
        }
      }
      case F8_E8M0 -> {
        for (int i = 0; i < count; i++) {
          int exponent = bytes.get(i) & 0xFF;
          target[offset + i] =
              exponent == 0xFF ? Float.NaN : (float) Math.scalb(1.0, exponent - 127);
        }
      }
      case BOOL, U8 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.get(i) & 0xFF;
        }
      }
      case I8 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.get(i);
        }
      }
      case I16 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.getShort(i * Short.BYTES);
        }
      }
      case U16 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.getShort(i * Short.BYTES) & 0xFFFF;
        }
      }
      case I32 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.getInt(i * Integer.BYTES);
        }
      }
      case U32 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = Integer.toUnsignedLong(bytes.getInt(i * Integer.BYTES));
        }
      }
      case I64 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = bytes.getLong(i * Long.BYTES);
        }
      }
      case U64 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = unsignedToFloat(bytes.getLong(i * Long.BYTES));
        }
      }
      case F4, F6_E2M3, F6_E3M2, C64 ->
          throw new IllegalArgumentException(type + " has no conversion to float32");
    }
  }

  /**
   * Rounds float32 values to stored elements.
   *
   * @param type F32, BF16, F16 or F64
   * @param source the values
   * @param offset index of the first value in {@code source}
   * @param count number of elements
   * @param target receives the bytes, little-endian, from its position on; the position advances
   *     past them
   * @throws IllegalArgumentException if the type is none of the four
   */
  public static void fromFloats(
      ElementType type, float[] source, int offset, int count, ByteBuffer target) {
    ByteBuffer bytes = target.slice().order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case F32 -> bytes.asFloatBuffer().put(source, offset, count);
      case BF16, F16 -> {
        ShortBuffer stored = bytes.asShortBuffer();
        short[] piece = PIECES.get();
        for (int first = 0; first < count; first += PIECE) {
          int length = Math.min(PIECE, count - first);
          if (type == ElementType.BF16) {
            roundToBfloat16(source, offset + first, length, piece);
          } else {
            roundToHalf(source, offset + first, length, piece);
          }
          stored.put(piece, 0, length);
        }
      }
      case F64 -> {
        for (int i = 0; i < count; i++) {
          bytes.putDouble(i * Double.BYTES, source[offset + i]);
        }
      }
      default -> throw new IllegalArgumentException("float32 is not converted to " + type);
    }
    target.position(target.position() + Math.toIntExact(type.byteSize(count)));
  }

  /**
   * Rounds a float32 to bfloat16, to nearest, ties to even. A NaN stays a (quiet) NaN.
   *
   * @param value any float
   * @return the bits of the bfloat16
   */
  public static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int rounded = bits + 0x7FFF + ((bits >>> 16) & 1);
    // A NaN's payload could carry into the sign or round to infinity.
    int nan = bits | 0x00400000;
    return (short) (((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded) >>> 16);
  }

  /**
   * Expands a bfloat16 to the float32 of the same value.
   *
   * @param bits the bits of the bfloat16
   * @return its value
   */
  public static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * Rounds a float32 to IEEE half precision, to nearest, ties to even. Values from 65520 on become
   * infinity.
   *
   * @param value any float
   * @return the bits of the half
   */
  public static short toHalf(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) {
      return (short) (sign | 0x7E00 | ((magnitude >>> 13) & 0x1FF));
    }
    if (magnitude >= 0x477FF000) {
      return (short) (sign | 0x7C00);
    }
    if (magnitude < 0x38800000) {
      // Subnormal: adding 0.5 puts the half's last place at the float's last place, so that the
      // addition itself rounds to nearest even.
      float shifted = Float.intBitsToFloat(magnitude) + 0.5f;
      return (short) (sign | (Float.floatToRawIntBits(shifted) - 0x3F000000));
    }
    int rounded = magnitude + 0x0FFF + ((magnitude >>> 13) & 1) - (112 << 23);
    return (short) (sign | (rounded >>> 13));
  }

  /**
   * Expands an IEEE half to the float32 of the same value.
   *
   * @param bits the bits of the half
   * @return its value
   */
  public static float fromHalf(short bits) {
    return HalfTable.VALUES[bits & 0xFFFF];
  }

  // Loops in methods of their own: HotSpot compiles and vectorises each by itself.

  private static void expandBfloat16(short[] piece, float[] target, int offset, int count) {
    for (int i = 0; i < count; i++) {
      target[offset + i] = Float.intBitsToFloat(piece[i] << 16);
    }
  }

  private static void expandHalf(short[] piece, float[] target, int offset, int count) {
    float[] table = HalfTable.VALUES;
    for (int i = 0; i < count; i++) {
      target[offset + i] = table[piece[i] & 0xFFFF];
    }
  }

  private static void roundToBfloat16(float[] source, int offset, int count, short[] piece) {
    for (int i = 0; i < count; i++) {
      piece[i] = toBfloat16(source[offset + i]);
    }
  }

  private static void roundToHalf(float[] source, int offset, int count, short[] piece) {
    for (int i = 0; i < count; i++) {
      piece[i] = toHalf(source[offset + i]);
    }
  }

  private static void lookUp(
      float[] table, ByteBuffer bytes, float[] target, int offset, int count) {
    for (int i = 0; i < count; i++) {
      target[offset + i] = table[bytes.get(i) & 0xFF];
    }
  }

  private static float unsignedToFloat(long value) {
    // Halving with the lost bit kept sticky rounds the same way.
    return value >= 0 ? (float) value : 2f * (float) ((value >>> 1) | (value & 1));
  }

  private static float smallFloat(
      int bits, int exponentBits, int mantissaBits, boolean hasInfinity) {
    int bias = (1 << (exponentBits - 1)) - 1;
    int mantissa = bits & ((1 << mantissaBits) - 1);
    int exponent = (bits >>> mantissaBits) & ((1 << exponentBits) - 1);
    boolean negative = ((bits >>> (mantissaBits + exponentBits)) & 1) != 0;
    double value;
    if (hasInfinity && exponent == (1 << exponentBits) - 1) {
      value = mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    } else if (exponent == 0) {
      value = Math.scalb((double) mantissa, 1 - bias - mantissaBits);
    } else {
      value = Math.scalb((double) (mantissa | (1 << mantissaBits)), exponent - bias - mantissaBits);
    }
    return (float) (negative ? -value : value);
  }
}
