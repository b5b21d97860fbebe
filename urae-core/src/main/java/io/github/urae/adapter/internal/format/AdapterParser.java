package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.internal.PrintableText;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sorts the keys of an adapter file by the modules that they belong to. */
public final class AdapterParser {

  private static final Logger LOG = LoggerFactory.getLogger(AdapterParser.class);

  /** Modules of Black Forest Labs' own code. */
  private static final Pattern OWN_NAMES =
      Pattern.compile("(^|\\.)(double_blocks|single_blocks|final_layer|(img|txt|time)_in)(\\.|$)");

  /** Most parts of a key, between dots, that may follow its module's name. */
  private static final int MOST_PARTS = 4;

  private final SafetensorsFile file;
  private final Optional<AdapterConfig> config;
  private final Map<String, Map<KeyRole, String>> keysOfModules = new LinkedHashMap<>();
  private final List<AdapterModule> modules = new ArrayList<>();
  private final List<String> unknownKeys = new ArrayList<>();
  private boolean minorComponents;

  AdapterParser(SafetensorsFile file, Optional<AdapterConfig> config) {
    this.file = file;
    this.config = config;
  }

  public List<AdapterModule> modules() {
    return modules;
  }

  public List<String> unknownKeys() {
    return unknownKeys;
  }

  public void parse() throws IOException {
    refuseUnusable();
    file.tensors().keySet().forEach(this::sort);
    refuseOtherFiles();
    if (minorComponents && !keysOfModules.values().stream().allMatch(AdapterParser::isMinor)) {
      throw new AdapterException(
          file.path() + ": holds minor components and low-rank updates at once; expected one kind");
    }
    Optional<AlphaSettings> settings = AlphaSettings.of(file, config);
    for (Map.Entry<String, Map<KeyRole, String>> module : keysOfModules.entrySet()) {
      ChangeReader reader = new ChangeReader(file, settings, module.getKey(), module.getValue());
      List<AdapterModule> changes = reader.read();
      changes.stream().filter(change -> !changesNothing(change)).forEach(modules::add);
      unknownKeys.addAll(reader.leftKeys());
    }
    refuseUnknownParts();
    if (modules.isEmpty()) {
      throw new AdapterException(
          file.path() + ": changes nothing: all differences that it holds are zero");
    }
    checkMagnitudes(settings);
    tellOfZeroAlpha();
  }

  private static boolean isMinor(Map<KeyRole, String> keys) {
    return keys.values().stream().allMatch(AdapterKey::isMinor);
  }

  private void checkMagnitudes(Optional<AlphaSettings> settings) {
    if (settings.map(AlphaSettings::isDora).orElse(false)
        && modules.stream().allMatch(module -> module.magnitude().isEmpty())) {
      throw new AdapterException(
          file.path()
              + ": its configuration says that this is a DoRA adapter, but no key holds a magnitude");
    }
  }

  private void tellOfZeroAlpha() {
    List<String> off =
        modules.stream()
            .filter(module -> module.change().scale() == 0)
            .map(module -> PrintableText.quoted(module.name()))
            .toList();
    if (!off.isEmpty()) {
      LOG.info("{}: alpha is 0, so these stay as they are: {}", file.path(), off);
    }
  }

  private void refuseOtherFiles() {
    Set<String> keys = file.tensors().keySet();
    if (keys.stream().anyMatch(AdapterParser::isAdapterKey)) {
      return;
    }
    Optional<String> other = UnusableAdapters.otherWeights(keys);
    Optional<String> family = ForeignAdapters.family(keys);
    throw new AdapterException(
        file.path()
            + ": holds no adapter"
            + other.map(what -> ": this is " + what).orElse("")
            + family.map(name -> ", and its keys are those of " + name).orElse("")
            + ". None of its "
            + keys.size()
            + " keys belongs to a change of a weight; the first are "
            + keys.stream().limit(3).map(PrintableText::quoted).collect(Collectors.joining(", ")));
  }

  /**
   * Some trainers write differences for what they do not train. All zero, they change nothing, also
   * where the model has no such parameter.
   */
  private static boolean changesNothing(AdapterModule module) {
    return module.change() instanceof Change.Difference difference && difference.values().isZero();
  }

  /**
   * What is not known beside what is may change how that is meant, as DoRA's magnitude does: it is
   * no key that can be left out. Neither is a whole parameter that seems to be of a module below.
   */
  private void refuseUnknownParts() {
    Set<String> changed = new HashSet<>();
    Map<String, String> keysByPath = new LinkedHashMap<>();
    unknownKeys.forEach(key -> keysByPath.put(key, key));
    for (AdapterModule module : modules) {
      if (module.change() instanceof Change.Replacement) {
        keysByPath.put(module.name(), module.keys().get(0));
      } else {
        changed.add(module.name());
      }
    }
    keysByPath.forEach(
        (path, key) -> {
          int dot = path.lastIndexOf('.');
          for (int part = 0; part < MOST_PARTS && dot > 0; part++) {
            if (changed.contains(path.substring(0, dot))) {
              throw new AdapterException(
                  file.path()
                      + ": "
                      + PrintableText.quoted(key)
                      + ": belongs to a change that is known without it, and may alter its effect;"
                      + " the adapter is of a kind that is not supported");
            }
            dot = path.lastIndexOf('.', dot - 1);
          }
        });
  }

  private void refuseUnusable() {
    UnusableAdapters.kind(file.tensors().keySet())
        .ifPresent(
            kind -> {
              throw new AdapterException(file.path() + ": this is " + kind);
            });
  }

  private void sort(String key) {
    Optional<AdapterKey> known = AdapterKey.of(key);
    if (known.isEmpty()) {
      unknownKeys.add(key);
      return;
    }
    String module = known.get().module();
    minorComponents |= AdapterKey.isMinor(key);
    String before =
        keysOfModules
            .computeIfAbsent(module, m -> new EnumMap<>(KeyRole.class))
            .putIfAbsent(known.get().role(), key);
    if (before != null) {
      throw new AdapterException(
          file.path()
              + ": "
              + PrintableText.quoted(key)
              + " and "
              + PrintableText.quoted(before)
              + " are for the same module");
    }
  }

  /** Tells whether some adapter, supported or not, has such a key. */
  public static boolean isAdapterKey(String key) {
    boolean known = AdapterKey.of(key).map(k -> k.role() != KeyRole.ALPHA).orElse(false);
    return (known && !isWhole(key)) || UnusableAdapters.isOfSomeKind(key);
  }

  /** Tells whether a key is that of a parameter, which adapters and checkpoints may hold. */
  private static boolean isWhole(String key) {
    return AdapterKey.of(key)
        .map(
            known ->
                !key.endsWith(".set_weight")
                    && (known.role() == KeyRole.WHOLE_WEIGHT || known.role() == KeyRole.WHOLE_BIAS))
        .orElse(false);
  }

  public AdapterFormat format() {
    if (minorComponents) {
      return AdapterFormat.MINOR_COMPONENTS;
    }
    if (modules.stream()
        .anyMatch(m -> m.name().startsWith("lora_") || m.name().startsWith("lycoris_"))) {
      return AdapterFormat.KOHYA;
    }
    if (modules.stream()
        .anyMatch(m -> m.name().contains("_blocks.") && m.name().contains(".processor."))) {
      return AdapterFormat.XLABS;
    }
    return modules.stream().anyMatch(m -> OWN_NAMES.matcher(m.name()).find())
        ? AdapterFormat.BFL
        : AdapterFormat.PEFT;
  }
}
