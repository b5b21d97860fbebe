package io.github.urae.device;

/** Where networks run. */
public sealed interface Device {

  /** The processor, in float32. */
  record Cpu() implements Device {
    @Override
    public String toString() {
      return "cpu";
    }
  }

  /**
   * An NVIDIA GPU, in bfloat16 unless {@link Precision} says otherwise. Needs the {@code
   * onnxruntime_gpu} jar, CUDA 12 and cuDNN 9.
   *
   * @param index number of the GPU, from 0
   */
  record Cuda(int index) implements Device {

    /**
     * Checks the range.
     *
     * @param index as above
     */
    public Cuda {
      if (index < 0) {
        throw new IllegalArgumentException("expected a GPU number of 0 or more, got " + index);
      }
    }

    @Override
    public String toString() {
      return "cuda:" + index;
    }
  }

  /** The first NVIDIA GPU if there is one that can be used, else the processor. */
  record Auto() implements Device {
    @Override
    public String toString() {
      return "auto";
    }
  }

  /**
   * Returns the processor.
   *
   * @return the device
   */
  static Device cpu() {
    return new Cpu();
  }

  /**
   * Returns a GPU.
   *
   * @param index number of the GPU, from 0
   * @return the device
   */
  static Device cuda(int index) {
    return new Cuda(index);
  }

  /**
   * Leaves the choice to the library.
   *
   * @return the device
   */
  static Device auto() {
    return new Auto();
  }

  /**
   * Reads a device as people write it.
   *
   * @param text {@code cpu}, {@code cuda}, {@code cuda:N} or {@code auto}
   * @return the device
   * @throws IllegalArgumentException if it is none of them
   */
  static Device parse(String text) {
    if (text.equals("cpu")) {
      return cpu();
    }
    if (text.equals("auto")) {
      return auto();
    }
    if (text.equals("cuda")) {
      return cuda(0);
    }
    if (text.matches("cuda:\\d{1,3}")) {
      return cuda(Integer.parseInt(text.substring("cuda:".length())));
    }
    throw new IllegalArgumentException("expected cpu, cuda, cuda:N or auto, found '" + text + "'");
  }
}
