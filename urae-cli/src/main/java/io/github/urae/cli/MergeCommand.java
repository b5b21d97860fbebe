package io.github.urae.cli;

import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** {@code urae merge}: a new checkpoint with adapters merged into its weights. */
@Command(
    name = "merge",
    description = "Write a new checkpoint with adapters merged into it, which diffusers opens too.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class MergeCommand extends ModelCommand {

  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "FILE[=SCALE]",
      description = "LoRA or URAE's minor components; repeatable, applied in order.")
  List<String> adapters;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the new checkpoint; must not exist.")
  Path output;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      converter = TypeConverter.class,
      description = "bf16, f16 or f32, for all rewritten weights (default: the checkpoint's).")
  ElementType type;

  @Override
  public Integer call() throws IOException {
    OutputFile.checkFolder(output);
    CheckpointMerger.Builder merge = CheckpointMerger.builder().output(output);
    if (type != null) {
      merge.elementType(type);
    }
    List<UnmatchedKey> unmatched;
    try (Progress progress = verbosity.progress()) {
      applyTo(merge, adapters, progress);
      unmatched = merge.write();
    }
    AdapterResult.warn(spec, unmatched);
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("adapters", adapters.size());
    findings.put("unmatched", unmatched.stream().map(UnmatchedKey::key).toList());
    return done(output, findings);
  }

  /** Reads an element type. */
  static final class TypeConverter implements ITypeConverter<ElementType> {
    @Override
    public ElementType convert(String value) {
      return switch (value) {
        case "bf16" -> ElementType.BF16;
        case "f16" -> ElementType.F16;
        case "f32" -> ElementType.F32;
        default ->
            throw new TypeConversionException("expected bf16, f16 or f32, found '" + value + "'");
      };
    }
  }
}
