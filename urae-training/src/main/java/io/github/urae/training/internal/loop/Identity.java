package io.github.urae.training.internal.loop;

import io.github.urae.TrainingException;
import io.github.urae.training.internal.checkpoint.TrainingRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What a training is, as far as it decides what the weights become: a training is continued only as
 * the same.
 *
 * @param library version of this library
 * @param base fingerprint of the weights, and digests of the adapters on them
 * @param data fingerprint of the pictures
 * @param settings by name, as texts
 */
public record Identity(
    String library, List<String> base, String data, Map<String, String> settings) {

  /**
   * Refuses to continue another training.
   *
   * @param checkpoint where it lies
   * @param record what it says
   * @throws TrainingException naming the first difference
   */
  public void check(Path checkpoint, TrainingRecord record) {
    if (!record.base().equals(base)) {
      boolean sameWeights = !record.base().isEmpty() && record.base().get(0).equals(base.get(0));
      throw new TrainingException(
          checkpoint
              + ": was trained on another base: "
              + (sameWeights
                  ? "expected " + adapters(record.base()) + ", found " + adapters(base)
                  : "expected weights with fingerprint "
                      + (record.base().isEmpty() ? "none" : record.base().get(0))
                      + ", found "
                      + base.get(0))
              + "; give the model and adapters that it was begun with, or another output folder");
    }
    if (!record.data().equals(data)) {
      throw new TrainingException(
          checkpoint
              + ": was trained on other pictures: expected data with fingerprint "
              + record.data()
              + ", found "
              + data
              + "; give the data and held-out pictures that it was begun with, or another output"
              + " folder");
    }
    settings.forEach(
        (name, value) -> {
          String before = record.settings().get(name);
          if (!value.equals(before)) {
            throw new TrainingException(
                checkpoint
                    + ": was trained with "
                    + name
                    + " "
                    + (before == null ? "not told" : before)
                    + ", not "
                    + value
                    + "; give the same, or another output folder");
          }
        });
  }

  private static String adapters(List<String> base) {
    return base.size() == 1
        ? "no base adapter"
        : "base adapters with digests " + base.subList(1, base.size());
  }
}
