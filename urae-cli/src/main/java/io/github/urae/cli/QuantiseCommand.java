package io.github.urae.cli;

import io.github.urae.adapter.CheckpointQuantiser;
import io.github.urae.adapter.UnmatchedKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** {@code urae quantise}: the transformer as a quantised file. */
@Command(
    name = "quantise",
    description =
        "Write the transformer as a quantised file: GGUF, which ComfyUI-GGUF and"
            + " stable-diffusion.cpp read too, or safetensors in bitsandbytes' form.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class QuantiseCommand extends ModelCommand {

  @Option(
      names = "--to",
      required = true,
      paramLabel = "TYPE",
      converter = EncodingConverter.class,
      description =
          "q8_0 (8.5 bits a weight), q4_0 (4.5 bits), or int8 (8 bits, bitsandbytes' LLM.int8, into"
              + " a .safetensors file).")
  CheckpointQuantiser.Encoding encoding;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description =
          "LoRA or URAE's minor components to merge before; repeatable, applied in order.")
  List<String> adapters = new ArrayList<>();

  @Option(
      names = "--output",
      required = true,
      paramLabel = "FILE",
      description = "The new file; one that is there is replaced.")
  Path output;

  @Override
  public Integer call() throws IOException {
    OutputFile.checkWritable(output);
    CheckpointQuantiser.Builder quantise =
        CheckpointQuantiser.builder().output(output).encoding(encoding);
    List<UnmatchedKey> unmatched;
    try (Progress progress = verbosity.progress()) {
      applyTo(quantise, adapters, progress);
      unmatched = quantise.write();
    }
    AdapterResult.warn(spec, unmatched);
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("adapters", adapters.size());
    findings.put("encoding", encoding.name());
    findings.put("bytes", Files.size(output));
    findings.put("unmatched", unmatched.stream().map(UnmatchedKey::key).toList());
    return done(output, findings);
  }

  /** Reads the type to quantise to. */
  static final class EncodingConverter implements ITypeConverter<CheckpointQuantiser.Encoding> {
    @Override
    public CheckpointQuantiser.Encoding convert(String value) {
      return switch (value.toLowerCase(Locale.ROOT)) {
        case "q8_0" -> CheckpointQuantiser.Encoding.Q8_0;
        case "q4_0" -> CheckpointQuantiser.Encoding.Q4_0;
        case "int8" -> CheckpointQuantiser.Encoding.INT8;
        default ->
            throw new TypeConversionException("expected q8_0, q4_0 or int8, found '" + value + "'");
      };
    }
  }
}
