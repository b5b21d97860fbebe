package io.github.urae.adapter.internal.match;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelFamily;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What the names of modules in adapters may stand for. Programs write a network's name before them,
 * those of PyTorch's wrappers before that or in their midst, and underscores for dots: a module has
 * many names, which are all one after the wrappers are taken off and dots are underscores.
 */
final class ModuleNames {

  /**
   * A module that a name may stand for.
   *
   * @param network the network that it is in; empty where the name does not say
   * @param module its name there, in the form of {@link #plain}
   */
  record Reading(Optional<Component> network, String module) {}

  /** No model has longer names; a file may. */
  private static final int MAX_LENGTH = 500;

  /**
   * PyTorch's compiler and its ways to distribute a model wrap modules, wherever they are; PEFT
   * those that it trains whole.
   */
  private static final List<String> WRAPPERS =
      List.of(
          "_orig_mod_",
          "_fsdp_wrapped_module_",
          "_checkpoint_wrapped_module_",
          "modules_to_save_default_",
          "modules_to_save_");

  private final List<ModelFamily.Prefix> prefixes;
  private final List<ModelFamily.UnusedPart> unused;

  ModuleNames(ModelFamily.Adapters adapters) {
    this.prefixes =
        adapters.prefixes().stream()
            .map(prefix -> new ModelFamily.Prefix(plain(prefix.name()) + "_", prefix.network()))
            .toList();
    this.unused =
        adapters.unused().stream()
            .map(part -> new ModelFamily.UnusedPart(plain(part.module()), part.what()))
            .toList();
  }

  /** Returns a name without wrappers, with underscores for dots. */
  static String plain(String name) {
    String module = name.replace(".module.", ".").replace('.', '_') + "_";
    for (String wrapper : WRAPPERS) {
      module = module.replace(wrapper, "");
    }
    while (module.contains("__")) {
      module = module.replace("__", "_");
    }
    int start = module.startsWith("_") ? 1 : 0;
    int end = module.endsWith("_") ? module.length() - 1 : module.length();
    return module.substring(start, Math.max(start, end));
  }

  /** Returns what a name may stand for: as it is, and without one and more prefixes. */
  List<Reading> readings(String name) {
    if (name.length() > MAX_LENGTH) {
      return List.of();
    }
    Set<Reading> found = new LinkedHashSet<>();
    List<Reading> next = List.of(new Reading(Optional.empty(), plain(name)));
    while (!next.isEmpty()) {
      List<Reading> shorter = new ArrayList<>();
      for (Reading reading : next) {
        if (found.add(reading)) {
          prefixes.stream()
              .filter(prefix -> reading.module().startsWith(prefix.name()))
              .map(prefix -> without(prefix, reading))
              .forEach(shorter::add);
        }
      }
      next = shorter;
    }
    return List.copyOf(found);
  }

  private static Reading without(ModelFamily.Prefix prefix, Reading reading) {
    return new Reading(
        prefix.network().or(reading::network), reading.module().substring(prefix.name().length()));
  }

  /** Returns what a key is for, if it is for a part that is known and that nothing here reads. */
  Optional<String> unused(String key) {
    for (Reading reading : readings(key)) {
      for (ModelFamily.UnusedPart part : unused) {
        if ((reading.module() + "_").startsWith(part.module() + "_")) {
          return Optional.of(part.what());
        }
      }
    }
    return Optional.empty();
  }
}
