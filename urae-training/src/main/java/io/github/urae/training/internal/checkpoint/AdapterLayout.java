package io.github.urae.training.internal.checkpoint;

/** What URAE's scripts call the adapters of their checkpoints. */
public enum AdapterLayout {
  /** A LoRA, as PEFT and diffusers write it. */
  LORA("pytorch_lora_weights.safetensors"),
  /** Minor components. */
  MINOR("adapter_weights.safetensors");

  private final String file;

  AdapterLayout(String file) {
    this.file = file;
  }

  /**
   * Returns the name of the file within a checkpoint.
   *
   * @return as URAE's scripts write it
   */
  public String file() {
    return file;
  }
}
