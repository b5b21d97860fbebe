package io.github.urae.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ShapeTest {

  @Test
  void dimensionsAreCopiedInAndOut() {
    long[] dimensions = {2, 3};
    Shape shape = Shape.of(dimensions);
    dimensions[0] = 9;
    shape.toArray()[1] = 9;
    assertThat(shape).isEqualTo(Shape.of(2, 3)).hasToString("[2, 3]");
    assertThat(shape.elementCount()).isEqualTo(6);
    assertThat(shape.dimension(-1)).isEqualTo(3);
  }

  @Test
  void scalarsHaveOneElementAndEmptyTensorsNone() {
    assertThat(Shape.of().elementCount()).isEqualTo(1);
    assertThat(Shape.of(Long.MAX_VALUE, Long.MAX_VALUE, 0).elementCount()).isZero();
  }

  @Test
  void impossibleShapesAreRefused() {
    assertThatThrownBy(() -> Shape.of(2, -1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Shape.of(1L << 32, 1L << 31)).isInstanceOf(ArithmeticException.class);
  }

  @Test
  void packedElementsMustEndOnAByte() {
    assertThat(ElementType.F4.byteSize(4)).isEqualTo(2);
    assertThat(ElementType.F6_E3M2.byteSize(4)).isEqualTo(3);
    assertThatThrownBy(() -> ElementType.F4.byteSize(3)).isInstanceOf(ArithmeticException.class);
  }
}
