package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.Profile;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.PrintableText;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.tensor.ElementType;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/** What of a generation's settings has probably made a network's result no number. */
final class LikelyCauses {

  /** Beyond what anybody draws with. */
  private static final double MUCH = 100;

  private LikelyCauses() {}

  /** Returns the end of a message: causes from the most to the least likely, and the way out. */
  static String ofTransformer(Networks networks, Profile profile, OptionalDouble guidance) {
    List<String> causes = new ArrayList<>();
    guidance.stream()
        .filter(value -> Math.abs(value) > MUCH)
        .forEach(value -> causes.add("guidance of " + value + " (usual are 1 to 5)"));
    double factor = profile.ntkFactor();
    if (factor > MUCH || factor < 1 / MUCH) {
      causes.add("an NTK factor of " + factor + " (usual are 1 to 10)");
    }
    addOfWeights(networks, Component.TRANSFORMER, causes);
    return ending(causes);
  }

  /** The same for a network that takes no settings. */
  static String of(Networks networks, Component component) {
    List<String> causes = new ArrayList<>();
    addOfWeights(networks, component, causes);
    return ending(causes);
  }

  private static void addOfWeights(Networks networks, Component component, List<String> causes) {
    networks.adapters().stream()
        .filter(adapter -> Math.abs(adapter.scale()) > MUCH)
        .forEach(
            adapter ->
                causes.add(
                    "adapter "
                        + PrintableText.shortened(adapter.path().toString())
                        + " at scale "
                        + adapter.scale()
                        + " (usual are 0 to 1)"));
    ElementType type = networks.elementType(component);
    if (type == ElementType.F16) {
      causes.add("float16, which ends at 65504 (choose bfloat16 or float32)");
    }
    causes.add(
        networks.adapters().isEmpty()
            ? "damaged weights (compare the files' checksums with their source's)"
            : "damaged weights or an adapter that is (draw without adapters to tell)");
  }

  private static String ending(List<String> causes) {
    return "; likely causes: " + String.join("; ", causes);
  }
}
