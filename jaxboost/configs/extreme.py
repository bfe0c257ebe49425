"""The whole recipe at full width, for an accelerator.

    python main.py --config=configs/extreme.py --config.data.path=TABLE

Two CPU cores would need about a day; `configs/quick.py` is the same recipe for them.
"""

from ml_collections import ConfigDict

from jaxboost.data import topomat


def get_config() -> ConfigDict:
    """Every field with its unit or reason. 'Predecessor' is the PyTorch recipe that this one replaces."""
    config = ConfigDict()
    config.name = "extreme"  # of the default folder, runs/<name>
    config.seed = 0

    config.data = data = ConfigDict()
    data.path = ""  # parquet table, or folder of structure files with id_prop.csv; empty: a model's labels
    data.embedded_crystals = 2000  # of the table that an empty path makes (jaxboost/data/embedded.py), 20 ms each
    data.label_column = "topology"
    data.classes = topomat.CLASSES  # (): the sorted labels of the table
    data.groupings = ConfigDict(topomat.GROUPINGS)  # coarser classes that are reported as well; may be empty
    data.rules = ConfigDict(topomat.RULES)  # class -> trivial, insulator or semimetal; empty: no symmetry penalty
    data.vote_fraction = 0.06  # of the training rows: no member sees them, temperature and best are chosen on them
    data.test_fraction = 0.15  # of the rows, when the table has no `split` column
    data.relatives = 64  # nearest isopointal training crystals whose labels are heard; 0: none
    data.cache_dir = "~/.cache/jaxboost"  # featurised crystals, by content and settings
    data.workers = -1  # processes that featurise; -1: one a core

    config.crystal = crystal = ConfigDict()
    crystal.symprec = 0.1  # Angstrom, tolerance of the symmetry search
    crystal.max_atoms = 400  # a primitive cell
    crystal.cutoff = 8.0  # Angstrom, radius of the crystal graph
    crystal.neighbors = 16  # nearest periodic images of each atom

    config.tight_binding = tight_binding = ConfigDict()
    tight_binding.enabled = True  # bands as inputs, 0.4 s a crystal and core, once; worth 2 points (docs/results.md)
    tight_binding.max_orbitals = 300  # a primitive cell; up to here everything
    tight_binding.max_cheap_orbitals = 800  # up to here no lines, mesh or spin-orbit coupling; beyond, no bands
    tight_binding.window = 12.0  # eV about the filling within which spin-orbit coupling is diagonalised
    tight_binding.parameters = "learned"  # fitted to the reference table's training rows; or "published"
    tight_binding.mesh = 3  # divisions of each reciprocal vector; 0: no mesh

    config.network = network = ConfigDict()
    network.token = 512  # width of a modality's token and of its fusion
    network.crystal_width = 128  # node states of the crystal encoder; the predecessor's 512 cost 4 times as much
    network.crystal_layers = 6
    network.radial = 32  # Gaussians of the radial basis
    network.kspace_width = 128
    network.kspace_layers = 6
    network.kspace_heads = 16
    network.kspace_widths = (512, 512)  # layers that read points and lines pooled over the zone too; (): none do
    # Layers of equal width are residual; tapering ones, as the predecessor's, learn far more slowly (docs/results.md).
    network.scalar_widths = (1024, 1024, 1024)
    network.electron_widths = (512, 512)
    network.frequencies = 0  # learned waves along each column of scalars and electrons; 0: the columns as they are
    network.column_width = 4  # numbers that the waves of a column become
    network.group_width = 32  # embedding of the space group
    network.fusion = "attention"  # across modalities; 'concatenation' leaves it out (benchmarks/techniques.py)
    network.fusion_heads = 8
    network.fusion_width = 1024
    network.classifier_widths = (1024, 1024, 1024, 1024)
    # A plain network over all columns side by side, with an opinion of its own (jaxboost/models/column_reader.py).
    network.reader_width = 1024  # 0: none
    network.reader_layers = 3
    network.reader_steps = 8  # that the range of each column is cut in
    network.recall_width = 0  # of the space in which the nearest training crystals vote too; 0: none, 64 cost accuracy
    network.dtype = "auto"  # of the matrix work: bfloat16 on accelerators, float32 on CPUs

    # Rate, decay, batch, losses, dropout and epochs were chosen on two folds of the reference table at the widths of
    # `quick.py` (docs/results.md), and were not searched at these.
    config.optimizer = optimizer = ConfigDict()
    optimizer.batch = 256  # 32 as the predecessor moves all weights and moments eight times as often
    optimizer.min_lr = 1e-6
    optimizer.max_lr = 1e-3
    optimizer.warmup_epochs = 1
    optimizer.lr_decay = 0.8  # of the peak from one cycle to the next
    optimizer.weight_decay = 3.0
    optimizer.clip_norm = 1.0  # of a member's gradient

    config.objective = objective = ConfigDict()
    objective.gamma = 0.0  # of the focal loss; above 0 it flattens probabilities that are calibrated afterwards anyway
    objective.smoothing = 0.0  # of the labels: cost log loss; what trees say softens them row by row
    objective.taught = 0.7  # share of the targets that boosted trees say, fitted to other rows of the member's own
    objective.taught_folds = 4  # parts of a member's training rows; trees fitted on the others speak of each
    objective.gain_power = 0.5  # of what each column gained those trees, by which it counts; 0: all columns alike
    objective.mixup_probability = 0.5  # share of the batches whose fused features are mixed
    objective.column_dropout = 0.2  # share of the columns of scalars, electrons and pooled k-space that are hidden
    objective.recall_weight = 1.0  # of the loss of what is recalled, beside the classifier's
    objective.recall_draw = 4096  # training crystals that vote in a training step

    config.views = views = ConfigDict()
    views.count = 5  # of test-time augmentation, the crystal as it is counted
    views.jitter = 0.02  # Angstrom, largest standard deviation of an atom's displacement, in training too
    views.strain = 0.01  # largest isotropic strain, in training too

    config.kfold = kfold = ConfigDict()
    kfold.folds = 5
    kfold.epochs = 20
    kfold.patience = 10  # epochs without a lower validation loss; the epoch with the least is kept
    kfold.cycle_epochs = 19
    kfold.cycles = 0  # 0: as many as fill the epochs (the predecessor's 2 left a tail that trained nothing)
    kfold.dropout = 0.25
    kfold.mixup_alpha = 0.0

    config.ensemble = ensemble = ConfigDict()
    ensemble.members = 3
    ensemble.epochs = 20
    ensemble.patience = 12
    ensemble.cycle_epochs = 19
    ensemble.cycles = 0
    ensemble.dropout = 0.25
    ensemble.dropout_step = 0.05  # member i has dropout + i times this
    ensemble.weight_decay_step = 0.2  # member i has weight_decay (1 + i times this)
    ensemble.mixup_alpha = 0.0
    ensemble.mixup_alpha_step = 0.1
    ensemble.validation_fraction = 0.2  # of the training rows, drawn for each member; 0.06 did no better

    config.full = full = ConfigDict()
    full.epochs = 20
    full.cycle_epochs = 19
    full.cycles = 0
    full.dropout = 0.25
    full.mixup_alpha = 0.0

    config.vote = vote = ConfigDict()
    vote.average = "logits"  # or 'probabilities'
    vote.members = "all"  # fold models in the super ensemble: 'all', or 'best' as the predecessor
    vote.batch = 256  # crystals a scoring batch

    config.population = population = ConfigDict()
    population.axis = "auto"  # how a device runs its members: 'vmap', 'map' (one after another), 'auto' by backend
    population.data_devices = 1  # that share a member's batch, for more devices than members; docs/tpu_vm.md
    population.steps_per_call = 32  # training steps a call of the compiled program
    population.checkpoint_every = 5  # epochs from one checkpoint to the next,
    population.checkpoint_seconds = 60.0  # and seconds, at least: nine members of full width are 3 GB to write
    return config
