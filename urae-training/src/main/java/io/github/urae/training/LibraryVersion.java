package io.github.urae.training;

/** The version of this library. */
final class LibraryVersion {

  private LibraryVersion() {}

  /** Returns what the jar says, or that there is none. */
  static String text() {
    String version = FluxTraining.class.getPackage().getImplementationVersion();
    return version == null ? "built from sources" : version;
  }
}
