package io.github.urae.tensor.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.tensor.ElementType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ElementsTest {

  @Test
  void everyHalfSurvivesTheWayOverFloat() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Elements.fromHalf((short) bits);
      if (!Float.isNaN(value)) {
        assertThat(Elements.toHalf(value)).as("half %04x", bits).isEqualTo((short) bits);
      } else {
        assertThat(Elements.fromHalf(Elements.toHalf(value))).isNaN();
      }
    }
  }

  @Test
  void everyBfloat16SurvivesTheWayOverFloat() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Elements.fromBfloat16((short) bits);
      if (!Float.isNaN(value)) {
        assertThat(Elements.toBfloat16(value)).as("bf16 %04x", bits).isEqualTo((short) bits);
      } else {
        assertThat(Elements.fromBfloat16(Elements.toBfloat16(value))).isNaN();
      }
    }
  }

  @Test
  void roundingToHalfGoesToTheNearestAndTiesToEven() {
    Random random = new Random(17);
    for (int i = 0; i < 200_000; i++) {
      int lower = random.nextInt(0x7BFF);
      double a = Elements.fromHalf((short) lower);
      double b = Elements.fromHalf((short) (lower + 1));
      float between = (float) (a + (b - a) * (i % 3 == 0 ? 0.5 : random.nextDouble()));
      double toA = between - a;
      double toB = b - between;
      int expected = toA < toB || (toA == toB && (lower & 1) == 0) ? lower : lower + 1;
      assertThat(Elements.toHalf(between)).as("%a (seed 17)", between).isEqualTo((short) expected);
      assertThat(Elements.toHalf(-between)).isEqualTo((short) (expected | 0x8000));
    }
    assertThat(Elements.toHalf(65519.996f)).isEqualTo((short) 0x7BFF);
    assertThat(Elements.toHalf(65520f)).isEqualTo((short) 0x7C00);
    assertThat(Elements.toHalf(Float.MIN_VALUE)).isEqualTo((short) 0);
  }

  @Test
  void roundingToBfloat16GoesToTheNearestAndTiesToEven() {
    assertThat(Elements.toBfloat16(Float.intBitsToFloat(0x3F808000))).isEqualTo((short) 0x3F80);
    assertThat(Elements.toBfloat16(Float.intBitsToFloat(0x3F818000))).isEqualTo((short) 0x3F82);
    assertThat(Elements.toBfloat16(Float.intBitsToFloat(0x3F808001))).isEqualTo((short) 0x3F81);
    assertThat(Elements.toBfloat16(Float.MAX_VALUE)).isEqualTo((short) 0x7F80);
    float payloadInTheLowerHalf = Float.intBitsToFloat(0x7F800001);
    assertThat(Elements.fromBfloat16(Elements.toBfloat16(payloadInTheLowerHalf))).isNaN();
  }

  /** Values of PyTorch's float8 types. */
  @ParameterizedTest
  @CsvSource({
    "F8_E4M3, 0x01, 0.001953125",
    "F8_E4M3, 0x08, 0.015625",
    "F8_E4M3, 0x38, 1",
    "F8_E4M3, 0x7E, 448",
    "F8_E4M3, 0x7F, NaN",
    "F8_E4M3, 0xFF, NaN",
    "F8_E4M3, 0xC4, -3",
    "F8_E5M2, 0x01, 1.52587890625e-05",
    "F8_E5M2, 0x3C, 1",
    "F8_E5M2, 0x7B, 57344",
    "F8_E5M2, 0x7C, Infinity",
    "F8_E5M2, 0x7D, NaN",
    "F8_E5M2, 0xC5, -5",
    "F8_E8M0, 0x7F, 1",
    "F8_E8M0, 0x00, 5.877471754111438e-39",
    "F8_E8M0, 0xFF, NaN",
    "BOOL, 0x01, 1",
    "U8, 0xFF, 255",
    "I8, 0xFF, -1"
  })
  void oneByteTypes(ElementType type, String bits, float expected) {
    float[] value = new float[1];
    ByteBuffer source = ByteBuffer.wrap(new byte[] {(byte) (int) Integer.decode(bits)});
    Elements.toFloats(type, source, value, 0, 1);
    assertThat(Float.valueOf(value[0])).isEqualTo(Float.valueOf(expected));
  }

  @Test
  void integersOfAllWidths() {
    ByteBuffer all = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, -2);
    assertThat(single(ElementType.I16, all)).isEqualTo(-2f);
    assertThat(single(ElementType.U16, all)).isEqualTo(65534f);
    assertThat(single(ElementType.I32, all)).isEqualTo(-2f);
    assertThat(single(ElementType.U32, all)).isEqualTo(0x1p32f);
    assertThat(single(ElementType.I64, all)).isEqualTo(-2f);
    assertThat(single(ElementType.U64, all)).isEqualTo(0x1p64f);
    all.putDouble(0, 0.1);
    assertThat(single(ElementType.F64, all)).isEqualTo(0.1f);
  }

  private static float single(ElementType type, ByteBuffer bytes) {
    float[] value = new float[1];
    Elements.toFloats(type, bytes, value, 0, 1);
    return value[0];
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F4", "F6_E2M3", "F6_E3M2", "C64"})
  void packedAndComplexTypesAreRefused(ElementType type) {
    assertThat(type.isConvertible()).isFalse();
    assertThatThrownBy(() -> single(type, ByteBuffer.allocate(8)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(type.name());
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F32", "BF16", "F16", "F64"})
  void rangesAreConvertedWhereTheyBelong(ElementType type) {
    int size = type.bits() / 8;
    ByteBuffer bytes = ByteBuffer.allocate(7 * size);
    bytes.position(2 * size);
    Elements.fromFloats(type, new float[] {9, 1, -2, 0.5f, 9}, 1, 3, bytes);
    assertThat(bytes.position()).isEqualTo(5 * size);
    float[] read = new float[5];
    bytes.position(2 * size);
    Elements.toFloats(type, bytes, read, 1, 3);
    assertThat(read).containsExactly(0, 1, -2, 0.5f, 0);
    assertThat(bytes.position()).isEqualTo(2 * size);
  }

  /** Long arrays are converted piece by piece. */
  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"BF16", "F16"})
  void longRangesEqualSingleElements(ElementType type) {
    Random random = new Random(23);
    float[] values = new float[20011];
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Short.BYTES);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextDouble() - 0.5);
    }
    Elements.fromFloats(type, values, 0, values.length, bytes);
    float[] read = new float[values.length];
    Elements.toFloats(type, bytes.flip(), read, 0, read.length);
    for (int i = 0; i < values.length; i++) {
      float expected =
          type == ElementType.BF16
              ? Elements.fromBfloat16(Elements.toBfloat16(values[i]))
              : Elements.fromHalf(Elements.toHalf(values[i]));
      assertThat(read[i]).as("element %d, seed 23", i).isEqualTo(expected);
    }
  }
}
