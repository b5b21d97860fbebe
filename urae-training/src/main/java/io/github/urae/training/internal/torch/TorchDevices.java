package io.github.urae.training.internal.torch;

import io.github.urae.ModelException;
import io.github.urae.internal.PrintableText;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;

/**
 * Devices by name. CUDA is libtorch's own where the application has its {@code -gpu} classifier;
 * written after PyTorch's documentation and not tried on a GPU.
 */
final class TorchDevices {

  private static final Pattern NAME = Pattern.compile("cpu|cuda(?::(\\d{1,2}))?");

  private TorchDevices() {}

  /**
   * Finds a device.
   *
   * @param name {@code cpu}, {@code cuda} or {@code cuda:N}
   * @return the device, of the caller's scope
   * @throws ModelException if there is none of that name here
   */
  static Device find(String name) {
    Matcher parts = NAME.matcher(name);
    if (!parts.matches()) {
      throw new ModelException(
          "device '" + PrintableText.of(name) + "': expected cpu, cuda or cuda:N");
    }
    if (name.equals("cpu")) {
      return new Device("cpu");
    }
    if (!torch.cuda_is_available()) {
      throw new ModelException(
          "device '"
              + name
              + "': libtorch finds no NVIDIA GPU; it needs org.bytedeco:pytorch with the classifier"
              + " linux-x86_64-gpu or windows-x86_64-gpu beside the one without -gpu,"
              + " org.bytedeco:cuda-platform-redist or an installed CUDA 13, and a driver");
    }
    int index = parts.group(1) == null ? 0 : Integer.parseInt(parts.group(1));
    long count = torch.cuda_device_count();
    if (index >= count) {
      throw new ModelException("device '" + name + "': there are " + count + " GPUs, from cuda:0");
    }
    return new Device("cuda:" + index);
  }
}
