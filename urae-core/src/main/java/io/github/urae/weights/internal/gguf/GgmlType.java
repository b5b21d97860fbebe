package io.github.urae.weights.internal.gguf;

import io.github.urae.tensor.ElementType;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.BlockEncoding;
import java.util.Arrays;
import java.util.Optional;

/** The types of ggml that weights are read in, with the numbers that they have in GGUF files. */
@SuppressWarnings("ImmutableEnumChecker") // Encodings are immutable by contract.
public enum GgmlType {
  F32(0, WeightEncoding.plain(ElementType.F32)),
  F16(1, WeightEncoding.plain(ElementType.F16)),
  Q4_0(2, NibbleBlocks.q40()),
  Q4_1(3, NibbleBlocks.q41()),
  Q5_0(6, FiveBitBlocks.q50()),
  Q5_1(7, FiveBitBlocks.q51()),
  Q8_0(8, new ByteBlocks()),
  Q2_K(10, new TwoBitSuperblocks()),
  Q3_K(11, new ThreeBitSuperblocks()),
  Q4_K(12, FourBitSuperblocks.q4k()),
  Q5_K(13, FourBitSuperblocks.q5k()),
  Q6_K(14, new SixBitSuperblocks()),
  IQ4_NL(20, NibbleBlocks.iq4nl()),
  IQ4_XS(23, new UnevenSuperblocks()),
  F64(28, WeightEncoding.plain(ElementType.F64)),
  BF16(30, WeightEncoding.plain(ElementType.BF16));

  private final int id;
  private final WeightEncoding encoding;

  GgmlType(int id, WeightEncoding encoding) {
    this.id = id;
    this.encoding = encoding;
  }

  /**
   * Returns the type's number in files.
   *
   * @return as {@code enum ggml_type} has it
   */
  public int id() {
    return id;
  }

  /**
   * Returns how tensors of this type are read.
   *
   * @return plain elements, or a {@link io.github.urae.weights.internal.BlockEncoding}
   */
  public WeightEncoding encoding() {
    return encoding;
  }

  /**
   * Returns how many values share their bytes, of which a row holds a multiple.
   *
   * @return 1 for plain elements
   */
  public int blockElements() {
    return encoding instanceof BlockEncoding blocks ? blocks.layout().blockElements() : 1;
  }

  /**
   * Finds a type.
   *
   * @param id its number in files
   * @return the type; empty if there is none of this number, or weights are not read in it
   */
  public static Optional<GgmlType> of(int id) {
    return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
  }
}
