package io.github.urae.benchmarks;

import io.github.urae.fuzz.Fuzzing;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** Runs a benchmark by name; behind {@code ./benchmark}. */
public final class Benchmarks {

  /** A program that takes a command line. */
  @FunctionalInterface
  private interface Program {
    void run(String[] arguments) throws Exception;
  }

  private static final Map<String, Program> PROGRAMS =
      new TreeMap<>(
          Map.ofEntries(
              named("cancel", Cancelling::main),
              named("checkpoint", SyntheticCheckpoint::main),
              named("decoder-memory", DecoderMemory::main),
              named("exported", ExportedStep::main),
              named("fuzz", Fuzzing::main),
              named("golden", GoldenVelocity::main),
              named("jmh", org.openjdk.jmh.Main::main),
              named("kill", Kills::main),
              named("merge-memory", MergeMemory::main),
              named("overhead", PipelineOverhead::main),
              named("peers", Peers::main),
              named("plan", PlannedMemory::main),
              named("preview-factors", PreviewFactors::main),
              named("quantised", QuantisedStep::main),
              named("quick", Quick::main),
              named("scenes", PaintedScenes::main),
              named("serve", ServerLoad::main),
              named("sheet", Sheet::main),
              named("shutdown", Shutdowns::main),
              named("soak", Soak::main),
              named("step", StepProfile::main),
              named("training", TrainingSteps::main),
              named("training-memory", TrainingMemory::main),
              named("training-kills", TrainingKills::main),
              named("training-loss", TrainedLoss::main),
              named("ultra", UltraResolution::main),
              named("whole", WholeStep::main)));

  private Benchmarks() {}

  private static Map.Entry<String, Program> named(String name, Program program) {
    return Map.entry(name, program);
  }

  /**
   * Runs a benchmark.
   *
   * @param arguments its name, then its own arguments
   * @throws Exception if it fails
   */
  public static void main(String[] arguments) throws Exception {
    Program program = arguments.length == 0 ? null : PROGRAMS.get(arguments[0]);
    if (program == null) {
      System.err.println(
          "usage: ./benchmark "
              + String.join("|", PROGRAMS.keySet())
              + " [ARGUMENTS]\n"
              + "       ./benchmark jmh CLASS [JMH OPTIONS], -l lists the classes");
      System.exit(2);
      return;
    }
    program.run(Arrays.copyOfRange(arguments, 1, arguments.length));
  }
}
