package io.github.urae.benchmarks;

import java.util.List;

/** The benchmarks that tell most in under 15 minutes on two cores. */
public final class Quick {

  private Quick() {}

  /**
   * Runs them one after the other.
   *
   * @param arguments {@code --python FILE} to compare with diffusers too
   * @throws Exception if one fails
   */
  public static void main(String[] arguments) throws Exception {
    Arguments parsed = Arguments.parse(arguments, "usage: ./benchmark quick [--python FILE]\n");
    String python = parsed.option("python", "none");
    parsed.finish();
    org.openjdk.jmh.Main.main(
        // One process and one second each; the networks are below.
        new String[] {
          "ElementConversion|StepArithmetic|SafetensorsReading", "-f", "1", "-wi", "2", "-i", "3"
        });
    for (List<String> command :
        List.of(
            List.of("512", "--rounds", "3"),
            List.of("1024", "--rounds", "2", "--settings", "no"))) {
      StepProfile.main(command.toArray(new String[0]));
    }
    if (!python.equals("none")) {
      Peers.main(new String[] {"512", "--rounds", "3", "--python", python});
    }
    PipelineOverhead.main(new String[0]);
  }
}
