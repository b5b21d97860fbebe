package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import org.junit.jupiter.api.Test;

/** What holds without urae-openblas, where alone minor components are computed. */
class MinorComponentsTest {

  @Test
  void ranksAndSizesThatDoNotFit() {
    for (int rank : new int[] {0, -1, 4}) {
      assertThatThrownBy(() -> MinorComponents.of(new float[12], 3, 4, rank))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("1 to 3", "found " + rank);
    }
    assertThatThrownBy(() -> MinorComponents.of(new float[11], 3, 4, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("11 values", "[3, 4]");
  }

  @Test
  void withoutDenseAlgebraTheMessageSaysWhatToAdd() throws Exception {
    assertThatThrownBy(() -> MinorComponents.of(new float[12], 3, 4, 1))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll("minor components", "io.github.urae:urae-openblas");
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain =
          model.chain(TinyFlux.spec("urae_2k_adapter"), TinyFlux.spec("urae_4k_adapter"));
      String weight = "transformer_blocks.0.attn.to_q.weight";
      assertThatThrownBy(() -> model.merger(chain, Component.TRANSFORMER).mergeToFloats(weight))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining("io.github.urae:urae-openblas");
    }
  }
}
