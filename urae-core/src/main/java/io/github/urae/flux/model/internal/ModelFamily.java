package io.github.urae.flux.model.internal;

import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.model.Component;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What models of one kind have in common and their configurations do not say. Everything that holds
 * for one family and not for another is here, so that a family is added by describing it.
 *
 * <p>All families have CLIP's pooled and T5's sequence embedding, a transformer of FLUX's double
 * and single blocks, and an autoencoder of Stable Diffusion's kind.
 *
 * @param name for people: {@code "FLUX.1"}
 * @param members for messages: the models that are supported
 * @param pipelines names of diffusers' pipelines that use such a checkpoint as it is, in {@code
 *     model_index.json}; the usual one first
 * @param relatives names of other pipelines that people try, with the models that they are of, to
 *     be refused by name
 * @param components what a checkpoint consists of, in order
 * @param latents what latents look like
 * @param transformer what its transformer looks like
 * @param guided defaults of checkpoints whose transformer is told a guidance scale
 * @param unguided defaults of those without
 * @param guidanceScale the scale where a request sets none
 * @param names the transformer's names in files that do not use diffusers'
 * @param adapters which adapters belong to it
 * @param autoencoder its usual autoencoder, for files of one without a configuration
 * @param previews colours of latents, by the autoencoder's configuration
 * @param assembler how the transformer's inputs are made of latents and conditions
 */
public record ModelFamily(
    String name,
    String members,
    List<String> pipelines,
    Map<String, String> relatives,
    List<Component> components,
    LatentLayout latents,
    Transformer transformer,
    Defaults guided,
    Defaults unguided,
    double guidanceScale,
    ParameterTable names,
    Adapters adapters,
    VaeConfig autoencoder,
    Map<VaeConfig, PreviewFactors> previews,
    ConditioningAssembler assembler) {

  /**
   * A family's transformer, as far as {@code transformer/config.json} may leave it open.
   *
   * @param className its class in diffusers
   * @param inputChannels channels of its image tokens: those of packed latents, and of what is
   *     concatenated to them
   * @param relatives numbers of channels of other models, with their names, to be refused by name
   * @param guidanceModule what embeds the guidance scale, by diffusers' name; missing where the
   *     transformer is told none
   * @param rotaryAxes channels of a head that turn with each axis of a position, unless the
   *     configuration says otherwise
   */
  public record Transformer(
      String className,
      int inputChannels,
      Map<Integer, String> relatives,
      String guidanceModule,
      List<Integer> rotaryAxes) {

    /** What takes image tokens, by diffusers' name, in all families. */
    static final String INPUT = "x_embedder";

    /** Copies the collections. */
    public Transformer {
      relatives = Map.copyOf(relatives);
      rotaryAxes = List.copyOf(rotaryAxes);
    }
  }

  /**
   * What a request may leave open.
   *
   * @param example the best-known model that they are for
   * @param steps denoising steps
   * @param textTokens T5's tokens, which are also the most
   * @param scheduler for models without a configuration of one
   */
  public record Defaults(String example, int steps, int textTokens, SchedulerConfig scheduler) {}

  /**
   * How adapters name what they change, beside the names of diffusers and those of {@link #names}.
   *
   * @param prefixes what may stand before the name of a module; several may
   * @param aliases modules that only adapters have, or that they name in their own way
   * @param unused what adapters hold for parts that the family or some of its models do without
   * @param minorComponents the transformer's weights whose minor components URAE trains, by
   *     diffusers' names
   */
  public record Adapters(
      List<Prefix> prefixes,
      List<ParameterTable> aliases,
      List<UnusedPart> unused,
      Pattern minorComponents) {

    /** Copies the lists. */
    public Adapters {
      prefixes = List.copyOf(prefixes);
      aliases = List.copyOf(aliases);
      unused = List.copyOf(unused);
    }
  }

  /**
   * A beginning of the names of modules.
   *
   * @param name with the dot or the underscore at its end
   * @param network the network that it stands for; empty for what wraps any network
   */
  public record Prefix(String name, Optional<Component> network) {

    /**
     * Returns a beginning that stands for a network.
     *
     * @param name as above
     * @param network as above
     * @return the prefix
     */
    public static Prefix of(String name, Component network) {
      return new Prefix(name, Optional.of(network));
    }

    /**
     * Returns a beginning that says nothing of the network.
     *
     * @param name as above
     * @return the prefix
     */
    public static Prefix of(String name) {
      return new Prefix(name, Optional.empty());
    }
  }

  /**
   * A part that adapters are trained on and that nothing here reads: their keys for it are left out
   * with a notice, unless the model has the part.
   *
   * @param module how the names of its modules begin, without prefixes
   * @param what it is, for people
   */
  public record UnusedPart(String module, String what) {}

  /** Copies the collections. */
  public ModelFamily {
    pipelines = List.copyOf(pipelines);
    relatives = Map.copyOf(relatives);
    components = List.copyOf(components);
    previews = Map.copyOf(previews);
  }

  /**
   * Returns the defaults of a checkpoint.
   *
   * @param guidance whether its transformer is told a guidance scale
   * @return one of the two
   */
  public Defaults defaults(boolean guidance) {
    return guidance ? guided : unguided;
  }

  /**
   * Returns the components that have weights.
   *
   * @return in order
   */
  public List<Component> networks() {
    return components.stream().filter(Component::isNetwork).toList();
  }
}
