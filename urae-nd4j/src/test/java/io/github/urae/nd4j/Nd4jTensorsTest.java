package io.github.urae.nd4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class Nd4jTensorsTest {

  private static ByteBuffer bytes(int count, boolean direct) {
    byte[] random = new byte[count];
    new Random(3).nextBytes(random);
    ByteBuffer data = direct ? ByteBuffer.allocateDirect(count) : ByteBuffer.allocate(count);
    return data.put(random).flip();
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "C64"})
  void everyTypeKeepsItsBytesBothWays(ElementType type) {
    Shape shape = Shape.of(2, 3, 4);
    for (boolean direct : new boolean[] {true, false}) {
      ByteBuffer data = bytes((int) type.byteSize(24), direct);
      Tensor tensor = Tensor.view(type, shape, data, "random");
      INDArray array = Nd4jTensors.toArray(tensor);
      assertThat(array.shape()).containsExactly(2, 3, 4);
      assertThat(array.ordering()).isEqualTo('c');
      Tensor back = Nd4jTensors.toTensor(array);
      assertThat(back.type()).isEqualTo(type);
      assertThat(back.shape()).isEqualTo(shape);
      assertThat(back.data()).isEqualTo(tensor.data());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "I8", "I16", "I32", "I64", "U8"})
  void numbersAreTheSame(ElementType type) {
    INDArray numbers = Nd4j.createFromArray(0.0, 1.0, 2.0, 96.0, 7.0, 8.0).reshape(2, 3);
    DataType stored =
        switch (type) {
          case F64 -> DataType.DOUBLE;
          case F32 -> DataType.FLOAT;
          case F16 -> DataType.FLOAT16;
          case BF16 -> DataType.BFLOAT16;
          case I8 -> DataType.INT8;
          case I16 -> DataType.INT16;
          case I32 -> DataType.INT32;
          case I64 -> DataType.INT64;
          default -> DataType.UINT8;
        };
    Tensor tensor = Nd4jTensors.toTensor(numbers.castTo(stored));
    assertThat(tensor.type()).isEqualTo(type);
    assertThat(Nd4jTensors.toArray(tensor).castTo(DataType.DOUBLE)).isEqualTo(numbers);
    if (stored.isFPType()) {
      assertThat(tensor.toFloats()).containsExactly(0, 1, 2, 96, 7, 8);
    }
  }

  @Test
  void directMemoryIsSharedBothWays() {
    ByteBuffer data = ByteBuffer.allocateDirect(24).order(ByteOrder.LITTLE_ENDIAN);
    Tensor tensor = Tensor.view(ElementType.F32, Shape.of(2, 3), data, "latents");
    INDArray array = Nd4jTensors.toArray(tensor);
    data.putFloat(4, 5);
    assertThat(array.getFloat(0, 1)).isEqualTo(5);
    array.putScalar(1, 2, 7);
    array.addi(1);
    assertThat(tensor.toFloats()).containsExactly(1, 6, 1, 1, 1, 8);

    INDArray owner = Nd4j.zeros(DataType.FLOAT, 2, 2);
    Tensor view = Nd4jTensors.toTensor(owner);
    owner.putScalar(1, 0, 3);
    assertThat(view.toFloats()).containsExactly(0, 0, 3, 0);
  }

  @Test
  void heapMemoryIsCopied() {
    ByteBuffer data = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putFloat(0, 2);
    INDArray array =
        Nd4jTensors.toArray(Tensor.view(ElementType.F32, Shape.of(2), data, "a heap buffer"));
    data.putFloat(0, 9);
    assertThat(array.toFloatVector()).containsExactly(2, 0);
  }

  @Test
  void memoryThatIsNotAlignedIsCopied() {
    ByteBuffer data = ByteBuffer.allocateDirect(9).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer odd = data.position(1).slice().order(ByteOrder.LITTLE_ENDIAN);
    odd.putFloat(0, 2);
    INDArray array = Nd4jTensors.toArray(Tensor.view(ElementType.F32, Shape.of(2), odd, "odd"));
    assertThat(array.toFloatVector()).containsExactly(2, 0);
  }

  @Test
  void rowsOfAnArrayAreShared() {
    INDArray whole = Nd4j.arange(12).castTo(DataType.FLOAT).reshape('c', 4, 3);
    INDArray rows = whole.get(NDArrayIndex.interval(1, 3), NDArrayIndex.all());
    Tensor tensor = Nd4jTensors.toTensor(rows);
    assertThat(tensor.toFloats()).containsExactly(3, 4, 5, 6, 7, 8);
    whole.putScalar(1, 1, 40);
    assertThat(tensor.toFloats()).containsExactly(3, 40, 5, 6, 7, 8);
  }

  @Test
  void otherOrdersAreCopied() {
    INDArray whole = Nd4j.arange(12).castTo(DataType.FLOAT).reshape('c', 4, 3);
    INDArray columns = whole.get(NDArrayIndex.all(), NDArrayIndex.interval(0, 2));
    INDArray transposed = whole.transpose();
    INDArray fortran = whole.dup('f');
    INDArray broadcast = Nd4j.createFromArray(1f, 2f).reshape(2, 1).broadcast(2, 3);
    Tensor[] tensors = {
      Nd4jTensors.toTensor(columns),
      Nd4jTensors.toTensor(transposed),
      Nd4jTensors.toTensor(fortran),
      Nd4jTensors.toTensor(broadcast)
    };
    whole.assign(-1);
    fortran.assign(-1);
    assertThat(tensors[0].toFloats()).containsExactly(0, 1, 3, 4, 6, 7, 9, 10);
    assertThat(tensors[1].toFloats()).containsExactly(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11);
    assertThat(tensors[2].toFloats()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    assertThat(tensors[3].toFloats()).containsExactly(1, 1, 1, 2, 2, 2);
  }

  @Test
  void arraysOfAWorkspaceAreCopied() {
    Tensor tensor;
    try (MemoryWorkspace workspace =
        Nd4j.getWorkspaceManager().getAndActivateWorkspace("tensors")) {
      INDArray array = Nd4j.create(DataType.FLOAT, 3).assign(2);
      assertThat(array.isAttached()).as(workspace.getId()).isTrue();
      tensor = Nd4jTensors.toTensor(array);
      array.assign(-1);
    }
    assertThat(tensor.toFloats()).containsExactly(2, 2, 2);
  }

  @Test
  void scalarsAndEmptyTensors() {
    Tensor scalar = Nd4jTensors.toTensor(Nd4j.scalar(2.5f));
    assertThat(scalar.shape()).isEqualTo(Shape.of());
    assertThat(Nd4jTensors.toArray(scalar).getFloat(0)).isEqualTo(2.5f);
    Tensor nothing =
        Tensor.view(ElementType.F32, Shape.of(0, 3), ByteBuffer.allocateDirect(0), "nothing");
    INDArray array = Nd4jTensors.toArray(nothing);
    assertThat(array.shape()).containsExactly(0, 3);
    assertThat(Nd4jTensors.toTensor(array).shape()).isEqualTo(Shape.of(0, 3));
  }

  @Test
  void typesThatNd4jLacksAreRefused() {
    Tensor tensor =
        Tensor.view(ElementType.F8_E4M3, Shape.of(4), ByteBuffer.allocateDirect(4), "fp8");
    assertThatThrownBy(() -> Nd4jTensors.toArray(tensor))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("F8_E4M3");
    assertThatThrownBy(() -> Nd4jTensors.toTensor(Nd4j.create("text")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("UTF8");
  }

  @Test
  void memoryLivesAsLongAsItIsSeen() {
    float[] expected = new float[1 << 20];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = i;
    }
    ByteBuffer buffer = Nd4jTensors.toTensor(Nd4j.createFromArray(expected)).data();
    INDArray array = Nd4jTensors.toArray(Tensor.ofFloats(expected, expected.length));
    for (int i = 0; i < 20; i++) {
      System.gc();
      Nd4j.createFromArray(new float[1 << 20]).addi(-1);
    }
    float[] seen = new float[expected.length];
    buffer.asFloatBuffer().get(seen);
    assertThat(seen).isEqualTo(expected);
    assertThat(array.toFloatVector()).isEqualTo(expected);
  }

  @Test
  void aClosedArrayMakesItsTensorUnusable() {
    INDArray array = Nd4j.zeros(DataType.FLOAT, 4);
    Tensor tensor = Nd4jTensors.toTensor(array);
    array.close();
    assertThatThrownBy(tensor::data)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void weightsOfAFileAreLookedAtWhereTheyLie(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("weights.safetensors");
    INDArray weight = Nd4j.rand(DataType.FLOAT, 4, 5);
    SafetensorsWriter.write(file, Map.of(), Map.of("weight", Nd4jTensors.toTensor(weight)));
    try (TensorSource source = Safetensors.open(file)) {
      INDArray mapped = Nd4jTensors.toArray(source.tensor("weight"));
      assertThat(mapped).isEqualTo(weight);
      assertThat(mapped.mmul(mapped.transpose())).isEqualTo(weight.mmul(weight.transpose()));
    }
  }
}
