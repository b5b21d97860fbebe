/** A small real FLUX checkpoint with URAE's adapters. */
module io.github.urae.demo {
  exports io.github.urae.demo;
}
