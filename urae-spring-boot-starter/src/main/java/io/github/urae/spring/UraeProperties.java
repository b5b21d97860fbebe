package io.github.urae.spring;

import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.device.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The pipeline of an application.
 *
 * @param model Folder or file of the model, its id in Hugging Face's local cache, or 'demo:model'
 *     for that of urae-demo-model. Without it there is no pipeline.
 * @param transformer File of weights in the place of the model's transformer.
 * @param textEncoder File of weights in the place of the model's CLIP text encoder.
 * @param textEncoder2 File of weights in the place of the model's T5.
 * @param vae File of weights in the place of the model's autoencoder.
 * @param tokenizers Folder of tokenizers in the place of the model's.
 * @param adapters Adapters, applied in this order: FILE or FILE=SCALE each, or 'demo:2k' and
 *     'demo:4k' for those of urae-demo-model.
 * @param ignoreUnmatchedKeys Whether keys of adapters that match nothing in the model are left
 *     aside.
 * @param device Where networks run: auto, cpu, cuda, or cuda:N for the GPU of that number.
 * @param precision Element type of weights and arithmetic.
 * @param offload Which networks are out of memory while others run.
 * @param maxConcurrent Generations that go on at once; others wait for their turn.
 * @param memoryLimit Memory that a generation may be expected to take; others are refused.
 * @param threads Threads of each operator on the processor; one a core unless set.
 * @param prepacking Whether ONNX Runtime copies weights into the layout that it likes best.
 * @param cacheFolder Folder for derived weights and native libraries; $XDG_CACHE_HOME/urae or
 *     ~/.cache/urae unless set.
 * @param cacheLimit Size of derived weights in the cache folder; the least recently used are
 *     deleted beyond it.
 * @param verifyCache Whether derived weights in the cache folder are read whole before they are
 *     used.
 * @param shutdownGrace How long generations may go on when the application ends; then they are
 *     cancelled.
 */
@ConfigurationProperties("urae")
public record UraeProperties(
    String model,
    Path transformer,
    Path textEncoder,
    Path textEncoder2,
    Path vae,
    Path tokenizers,
    @DefaultValue List<String> adapters,
    @DefaultValue("false") boolean ignoreUnmatchedKeys,
    @DefaultValue("auto") Device device,
    @DefaultValue("auto") Precision precision,
    @DefaultValue("all") Offload offload,
    @DefaultValue("1") int maxConcurrent,
    DataSize memoryLimit,
    Integer threads,
    @DefaultValue("false") boolean prepacking,
    Path cacheFolder,
    DataSize cacheLimit,
    @DefaultValue("false") boolean verifyCache,
    @DefaultValue("10s") Duration shutdownGrace) {}
