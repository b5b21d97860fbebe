package io.github.urae.training;

import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.engine.OptimizerSettings;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.loop.NoiseLevels;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What a training is told, with URAE's defaults; those that depend on the stage are not set. */
final class TrainingOptions implements Cloneable {

  TrainingStage stage;
  DataSet data;
  Path output;
  int rank = 16;
  Double alpha;
  TargetModules targets = TargetModules.URAE;
  long seed;
  OptionalLong steps = OptionalLong.empty();
  int batch = 1;
  int accumulate = 1;
  TrainingOptimizer optimizer = TrainingOptimizer.PRODIGY;
  Double learningRate;
  LearningRateSchedule schedule = LearningRateSchedule.CONSTANT;
  long warmUp;
  double weightDecay = OptimizerSettings.AdamW.URAE.weightDecay();
  double maxGradientNorm = 1;
  NoiseLevels levels = new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 1);
  double guidance = 1;
  Double ntkFactor;
  Boolean proportionalAttention;
  OptionalLong nativeTokens = OptionalLong.empty();
  double realPromptRatio = 0.2;
  ElementType base = ElementType.F32;
  ElementType state = ElementType.F32;
  boolean recomputation = true;
  boolean blockInputsOnHost;
  Device device = Device.cpu();
  OptionalInt threads = OptionalInt.empty();
  long saveEvery = 1000;
  int keep = 3;
  Optional<DataSet> heldOut = Optional.empty();
  long evaluateEvery = 100;
  List<GenerationRequest> samples = List.of();
  long sampleEvery;
  OptionalLong memoryLimit = OptionalLong.empty();
  Path resume;
  boolean resumeLatest;
  TrainingListener trainingListener = TrainingListener.NONE;

  /** Returns the same, to be changed or kept. */
  TrainingOptions copy() {
    try {
      return (TrainingOptions) clone();
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException("this class can be cloned", e);
    }
  }
}
