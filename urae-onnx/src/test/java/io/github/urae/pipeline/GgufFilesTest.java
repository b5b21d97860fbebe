package io.github.urae.pipeline;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Networks in GGUF files, whoever wrote them, compute what the reference recorded. */
class GgufFilesTest {

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "flux-tiny-Q4_0, flux-tiny",
    "flux-cut-Q5_1-Q5_0-Q4_1-sdcpp, flux-cut",
    "flux-mini-diffusers-Q4_0, flux-mini",
    "flux-wide-K, flux-wide"
  })
  void transformers(String label, String configuration) throws IOException {
    QuantisedCase.gguf(label).assertRuns(folder, configuration);
  }

  @Test
  void blocksOfEightBits() throws IOException {
    Path file = folder.resolve("q8_0.gguf");
    QuantisedWriter.writeQ80(file);
    QuantisedCase recorded = new QuantisedCase("flux-tiny-Q8_0", file);
    recorded.assertTensors();
    recorded.assertRuns(folder, "flux-tiny");
  }

  @Test
  void textEncoderByTheNamesOfLlama() throws IOException {
    QuantisedCase.gguf("t5-encoder-Q8_0").assertEncodes(folder);
  }
}
