package io.github.urae.flux.model.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class TensorNamesTest {

  private final TensorNames names =
      new TensorNames(List.of("b.10.x", "b.0.x", "b.1.x", "b.1.y", "b.3.x", "b", "c.1.x"));

  @Test
  void blocksEndBeforeTheFirstThatIsMissing() {
    assertThat(names.blocks("b.")).isEqualTo(2);
    assertThat(names.blocks("c.")).isZero();
    assertThat(names.blocks("d.")).isZero();
  }

  @Test
  void beginningsAreNotOnlyWholeNames() {
    assertThat(names.anyStartsWith("b.10")).isTrue();
    assertThat(names.anyStartsWith("b.1.x")).isTrue();
    assertThat(names.anyStartsWith("")).isTrue();
    assertThat(names.anyStartsWith("b.1.z")).isFalse();
    assertThat(names.anyStartsWith("c.1.x.weight")).isFalse();
    assertThat(new TensorNames(List.of()).anyStartsWith("")).isFalse();
  }
}
