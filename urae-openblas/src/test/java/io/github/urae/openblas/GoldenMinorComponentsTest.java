package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.MinorComponents;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** URAE's 4K adapter on the small checkpoint's weights, against what the reference recorded. */
class GoldenMinorComponentsTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "transformer_blocks.0.attn.to_q",
        "transformer_blocks.1.attn.to_out.0",
        "single_transformer_blocks.3.attn.to_v"
      })
  void mergedWeights(String layer) throws IOException {
    try (AdaptedDemo model = new AdaptedDemo();
        SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/merge.safetensors"))) {
      String weight = layer + ".weight";
      AdapterSpec lora = AdaptedDemo.LORA;
      AdapterSpec minor = AdaptedDemo.MINOR;
      float[] merged2k = model.merge(model.chain(lora), weight);
      assertThat(difference(golden, layer + ".merged_2k", merged2k)).isLessThan(1e-6);

      double[] values = widened(golden, layer + ".singular_values");
      int order = values.length;
      MinorComponents components = MinorComponents.of(merged2k, order, order, 16);
      double[] smallest = Arrays.copyOfRange(values, order - 16, order);
      assertThat(distance(components.singularValues(), smallest)).isLessThan(1e-6 * values[0]);
      double gap = (values[order - 17] - smallest[0]) / smallest[0];
      double[] product = widened(golden, layer + ".minor_product");
      double error = relativeError(product(components, order, order), product);
      System.out.printf("%-40s minor product: error %.1e, relative gap %.1e%n", layer, error, gap);
      assertThat(gap)
          .as("where the gap is smaller, the product is not defined")
          .isGreaterThan(1e-4);
      assertThat(error).isLessThan(1e-4);

      float[] merged4k = model.merge(model.chain(lora, minor), weight);
      assertThat(difference(golden, layer + ".merged_4k", merged4k)).isLessThan(1e-6);
    }
  }

  /** The recorded conversion is the chain's own effect, in another form. */
  @Test
  void recordedConversionEqualsTheChain() throws IOException {
    try (AdaptedDemo model = new AdaptedDemo()) {
      AdapterChain chain = model.chain(AdaptedDemo.LORA, AdaptedDemo.MINOR);
      AdapterChain conversion = model.chain(AdaptedDemo.CONVERSION);
      assertThat(conversion.changedWeights(Component.TRANSFORMER))
          .isEqualTo(chain.changedWeights(Component.TRANSFORMER));
      for (String weight : chain.changedWeights(Component.TRANSFORMER)) {
        float[] expected = model.merge(conversion, weight);
        float[] actual = model.merge(chain, weight);
        assertThat(TestData.largestDifference(expected, actual)).as(weight).isLessThan(1e-6);
      }
    }
  }

  private static double difference(SafetensorsFile golden, String name, float[] actual)
      throws IOException {
    return TestData.largestDifference(golden.tensor(name).toFloats(), actual);
  }

  private static double[] widened(SafetensorsFile file, String name) throws IOException {
    float[] values = file.tensor(name).toFloats();
    double[] widened = new double[values.length];
    Arrays.setAll(widened, i -> values[i]);
    return widened;
  }

  private static double[] product(MinorComponents components, int rows, int columns) {
    float[] a = components.a();
    float[] b = components.b();
    int rank = components.rank();
    double[] product = new double[rows * columns];
    for (int i = 0; i < product.length; i++) {
      for (int k = 0; k < rank; k++) {
        product[i] += (double) b[i / columns * rank + k] * a[k * columns + i % columns];
      }
    }
    return product;
  }

  private static double relativeError(double[] actual, double[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    double error = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(error / norm);
  }

  private static double distance(double[] actual, double[] expected) {
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(actual[i] - expected[i]));
    }
    return largest;
  }
}
