package io.github.urae.pipeline;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Quantised safetensors hold and compute what the reference recorded. */
class QuantisedFilesTest {

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "flux-mini-fp8_e5m2, flux-mini",
    "flux-mini-fp8_scaled_new, flux-mini",
    "nf4-diffusers, flux-cut"
  })
  void recordedTransformers(String label, String configuration) throws IOException {
    QuantisedCase recorded = QuantisedCase.stored(label);
    recorded.assertTensors();
    recorded.assertRuns(folder, configuration);
  }

  @Test
  void plainFloat8() throws IOException {
    Path file = folder.resolve("plain.safetensors");
    QuantisedWriter.writePlainFloat8(file, QuantisedWriter.cut());
    QuantisedCase recorded = new QuantisedCase("flux-cut-fp8_e4m3fn", file);
    recorded.assertTensors();
    recorded.assertRuns(folder, "flux-cut");
  }

  @Test
  void scaledFloat8() throws IOException {
    Path file = folder.resolve("scaled.safetensors");
    QuantisedWriter.writeScaledFloat8(file);
    QuantisedCase recorded = new QuantisedCase("flux-cut-fp8_scaled_old", file);
    recorded.assertTensors();
    recorded.assertRuns(folder, "flux-cut");
  }

  @Test
  void scaledFloat8AsTextEncoder() throws IOException {
    QuantisedCase recorded = QuantisedCase.stored("t5xxl_fp8_e4m3fn_scaled");
    recorded.assertTensors();
    recorded.assertEncodes(folder);
  }

  @Test
  void plainFloat8AsTextEncoder() throws IOException {
    Path file = folder.resolve("t5.safetensors");
    QuantisedWriter.writePlainFloat8(file, SeparateFiles.stored("text_encoder_2"));
    QuantisedCase recorded = new QuantisedCase("t5xxl_fp8_e4m3fn", file);
    recorded.assertTensors();
    recorded.assertEncodes(folder);
  }

  @Test
  void nf4() throws IOException {
    Path file = folder.resolve("nf4.safetensors");
    QuantisedWriter.writeNf4(file);
    QuantisedCase recorded = new QuantisedCase("flux-tiny-bnb-nf4-v2", file);
    recorded.assertTensors();
    recorded.assertRuns(folder, "flux-tiny");
  }

  @Test
  void int8() throws IOException {
    Path file = folder.resolve("int8.safetensors");
    QuantisedWriter.writeInt8(file);
    QuantisedCase recorded = new QuantisedCase("int8-diffusers", file);
    recorded.assertTensors();
    recorded.assertRuns(folder, "flux-cut");
  }
}
