package io.github.urae.adapter;

/**
 * Forms in which adapters are stored, told apart by their keys: whose names they give to modules.
 * What a key does to its module is told by its ending, which every form may have: see {@link
 * Adapter.Kind}.
 */
public enum AdapterFormat {
  /**
   * {@code MODULE.lora_A.weight} and {@code .lora_B.weight} with diffusers' module names, with or
   * without a prefix {@code transformer.}; URAE's 2K adapter and its converted 4K adapter.
   */
  PEFT("PEFT names"),
  /** The same with the module names of Black Forest Labs' own code, as fal's trainer writes. */
  BFL("Black Forest Labs names"),
  /** {@code lora_unet_MODULE.lora_down.weight}, {@code .lora_up.weight} and {@code .alpha}. */
  KOHYA("kohya names"),
  /** {@code double_blocks.0.processor.qkv_lora1.down.weight} and so on. */
  XLABS("XLabs names"),
  /** {@code ...attn.processor.to_q_a.weight}: URAE's minor components, its 4K adapter. */
  MINOR_COMPONENTS("URAE minor components");

  private final String description;

  AdapterFormat(String description) {
    this.description = description;
  }

  /**
   * Returns the format in words.
   *
   * @return a short description
   */
  public String description() {
    return description;
  }
}
