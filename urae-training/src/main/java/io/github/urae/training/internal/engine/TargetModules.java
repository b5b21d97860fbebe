package io.github.urae.training.internal.engine;

import io.github.urae.AdapterException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which linear layers are trained, by patterns of their names, such as {@code to_q} or {@code
 * single_transformer_blocks.*.attn.to_*}. A pattern stands for every layer whose name it is, or
 * whose name ends with it after a dot, as PEFT's {@code target_modules} do; {@code *} stands for
 * any text.
 *
 * @param patterns at least one, none of them blank
 */
public record TargetModules(List<String> patterns) {

  /**
   * The attention projections of the image stream, which URAE trains: 190 layers of FLUX.1, {@code
   * to_out.0} in the double blocks only.
   */
  public static final TargetModules URAE =
      new TargetModules(List.of("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"));

  /** Copies the list and checks it. */
  public TargetModules {
    patterns = List.copyOf(patterns);
    if (patterns.isEmpty() || patterns.stream().anyMatch(String::isBlank)) {
      throw new IllegalArgumentException("target modules: expected names, found " + patterns);
    }
  }

  /**
   * Finds the layers.
   *
   * @param layers names of all layers that can be trained
   * @return those that a pattern stands for, in their order
   * @throws AdapterException if a pattern stands for none
   */
  public List<String> among(List<String> layers) {
    List<Pattern> compiled = new ArrayList<>();
    for (String pattern : patterns) {
      Pattern names = compile(pattern);
      if (layers.stream().noneMatch(layer -> names.matcher(layer).matches())) {
        throw new AdapterException(
            "target module '"
                + pattern
                + "': no linear layer of the transformer's blocks is called so; there are, for"
                + " instance, attn.to_q, attn.add_q_proj, ff.net.2, proj_mlp");
      }
      compiled.add(names);
    }
    return layers.stream()
        .filter(layer -> compiled.stream().anyMatch(names -> names.matcher(layer).matches()))
        .toList();
  }

  private static Pattern compile(String pattern) {
    String text =
        List.of(pattern.split("\\*", -1)).stream()
            .map(Pattern::quote)
            .collect(Collectors.joining(".*"));
    return Pattern.compile("(?:.*\\.)?" + text);
  }
}
